//! The promise that a commit becomes durable and visible.

use super::completion::{Completion, Outcome, Slot, Stopped};
use super::evaluator::Evaluator;
use super::queue::{CommitQueue, Place};
use crate::error::RequestError;
use crate::sync::Arc;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Resolves when everything evaluated up to this commit is durable and published, or with
/// [`RequestError::Stopped`] when the log failed. Dropping it cancels nothing: the commit stands.
///
/// The ticket of a thread's first commit in a batch also rings for the log writer: when it is polled for the second time,
/// and so behind all tasks of its executor that were ready at the first, or when somebody waits for it or drops it. Keep
/// none without doing one of these.
#[derive(Debug)]
#[must_use = "a commit is not durable before its ticket resolves"]
pub struct Ticket {
    /// None: it already is.
    completion: Option<Arc<Completion>>,
    slot: Option<Slot>,
    duty: Option<Duty>,
}

#[derive(Debug)]
struct Duty {
    queue: Arc<CommitQueue<Evaluator>>,
    /// The ticket was polled once.
    is_due: bool,
}

impl Ticket {
    /// Of a commit that waits in a batch.
    pub(super) fn waiting(Place { completion, rings }: Place, queue: &Arc<CommitQueue<Evaluator>>) -> Ticket {
        let duty = rings.then(|| Duty { queue: queue.clone(), is_due: false });
        Ticket { completion: Some(completion), slot: None, duty }
    }

    /// Of a batch that somebody else rings for.
    pub(crate) fn of(completion: Option<Arc<Completion>>) -> Ticket {
        Ticket { completion, slot: None, duty: None }
    }

    fn ring(&mut self) {
        if let Some(Duty { queue, .. }) = self.duty.take() {
            queue.ring();
        }
    }

    /// Waits on this thread. Not for async tasks.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] when the log failed.
    pub fn wait(mut self) -> Result<(), RequestError> {
        self.ring();
        self.completion.take().map_or(Ok(()), |completion| refused(completion.wait()))
    }
}

impl Future for Ticket {
    type Output = Result<(), RequestError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ticket = self.get_mut();
        if let Some(duty) = &mut ticket.duty {
            if !std::mem::replace(&mut duty.is_due, true) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            ticket.ring();
        }
        match &ticket.completion {
            Some(completion) => completion.poll(context, &mut ticket.slot).map(refused),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.ring();
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
