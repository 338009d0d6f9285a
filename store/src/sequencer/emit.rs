//! The seam through which `replica` turns local writes into entries of a share, inside the same atomic record.

use super::Commit;
use crate::error::RequestError;
use crate::mvcc::Version;
use bytes::Bytes;

/// One key that a client's request changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// The key.
    pub key: Bytes,
    /// The version before, if the key existed.
    pub old: Option<Stored>,
    /// The version after, unless the key was deleted.
    pub new: Option<Stored>,
    /// Main revision of the change.
    pub revision: i64,
    /// Lease of the new version; 0 = none.
    pub lease: i64,
}

/// A version whose value is read only when somebody asks for it: [`Commit::read`].
#[derive(Clone, Debug)]
pub struct Stored(pub(super) Version);

/// Sees every change of a client's request, a lease's expiry included, before its frame is appended.
pub trait Emit: Send {
    /// Called under the sequencer's lock when there are [`Commit::changes`]: must be quick, must not block. May write
    /// tables, and keys of further revisions. What a `Store::commit` changes is not shown.
    ///
    /// # Errors
    /// Refuses the whole request; nothing happens.
    fn emit(&mut self, commit: &mut Commit<'_>) -> Result<(), RequestError>;

    /// The record of the last [`Emit::emit`] was refused after all: nothing of it happened.
    fn refused(&mut self);
}
