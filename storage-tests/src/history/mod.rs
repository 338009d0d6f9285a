//! What clients saw: every operation with the times of its call and its return, every response of every watch, and the log
//! of revisions that follows from them. `checkers` judge it, one promise a file.

mod operation;
pub use operation::{Kv, Operation, Outcome, Read, Request, Write, WriteOp};
mod watch;
pub use watch::{Change, Response, Watch};
mod log;
pub use log::{Log, Revision, State};

/// All of one run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Operations, in the order of their calls.
    pub operations: Vec<Operation>,
    /// Watches, in the order of their creation.
    pub watches: Vec<Watch>,
}
