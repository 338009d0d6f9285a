//! The only writer: evaluates under its lock, appends to the log, publishes what is durable.

use crate::sync;

mod emit;

mod commit;
mod evaluate;

mod dirty;
mod evaluator;
mod relocation;

mod completion;
mod queue;
mod throttle;
mod ticket;
mod turn;

#[allow(clippy::module_inception)]
mod sequencer;

#[cfg(test)]
mod tests;

pub use commit::Commit;
pub use emit::{Change, Emit, Stored};
pub use ticket::Ticket;

pub(crate) use dirty::Dirty;
pub(crate) use evaluate::{compact, delete_range, put, read_only_txn, revoke, txn};
pub(crate) use evaluator::{CheckpointWork, Evaluator};
pub(crate) use relocation::{Copied, InState};
pub(crate) use sequencer::Sequencer;
