//! The one state that never ends: a write or sync failed.

use std::sync::{Arc, OnceLock};
use thiserror::Error;

/// A write or sync of the log failed. Nothing is acknowledged any more until the process is started again and recovery
/// has read what the disk really holds: after a failed fsync the kernel may have dropped the writes, so that a second
/// fsync that succeeds proves nothing.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0}")]
pub struct Fatal(pub(crate) Arc<str>);

/// Shared by all parts of one log; set at most once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<OnceLock<Fatal>>);

impl Failure {
    /// Keeps the first failure and returns it.
    pub(crate) fn set(&self, what: String) -> Fatal {
        let fatal = self.0.get_or_init(|| {
            tracing::error!(error = %what, "the commit log failed; nothing is acknowledged any more, restart the site");
            Fatal(what.into())
        });
        fatal.clone()
    }

    pub(crate) fn get(&self) -> Option<Fatal> {
        self.0.get().cloned()
    }

    pub(crate) fn check(&self) -> Result<(), Fatal> {
        self.get().map_or(Ok(()), Err)
    }
}
