//! The promise that a commit becomes durable and visible.

use crate::error::RequestError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Resolves when everything evaluated up to this commit is durable and published, or with
/// [`RequestError::Stopped`] when the log failed. Dropping it cancels nothing: the commit stands.
#[derive(Debug)]
#[must_use = "a commit is not durable before its ticket resolves"]
pub struct Ticket {}

impl Future for Ticket {
    type Output = Result<(), RequestError>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        todo!()
    }
}

impl Ticket {
    /// Waits on this thread. Not for async tasks.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] when the log failed.
    pub fn wait(self) -> Result<(), RequestError> {
        todo!()
    }
}
