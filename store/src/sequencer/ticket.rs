//! The promise that a commit becomes durable and visible.

use super::completion::{Completion, Outcome, Slot, Stopped};
use crate::error::RequestError;
use crate::sync::Arc;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Resolves when everything evaluated up to this commit is durable and published, or with
/// [`RequestError::Stopped`] when the log failed. Dropping it cancels nothing: the commit stands.
#[derive(Debug)]
#[must_use = "a commit is not durable before its ticket resolves"]
pub struct Ticket {
    /// None: it already is.
    completion: Option<Arc<Completion>>,
    slot: Option<Slot>,
}

impl Ticket {
    pub(crate) fn new(completion: Option<Arc<Completion>>) -> Ticket {
        Ticket { completion, slot: None }
    }

    /// Waits on this thread. Not for async tasks.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] when the log failed.
    pub fn wait(mut self) -> Result<(), RequestError> {
        self.completion.take().map_or(Ok(()), |completion| refused(completion.wait()))
    }
}

impl Future for Ticket {
    type Output = Result<(), RequestError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Ticket { completion, slot } = self.get_mut();
        match completion {
            Some(completion) => completion.poll(context, slot).map(refused),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let (Some(completion), Some(slot)) = (&self.completion, self.slot) {
            completion.abandon(slot);
        }
    }
}

impl From<Stopped> for RequestError {
    fn from(Stopped(reason): Stopped) -> RequestError {
        RequestError::Stopped(reason.as_ref().to_owned())
    }
}

fn refused(outcome: Outcome) -> Result<(), RequestError> {
    outcome.map_err(RequestError::from)
}
