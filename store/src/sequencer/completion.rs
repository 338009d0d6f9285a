//! The end of a batch, for everyone who waits for it: one object a batch, not one a commit.

use super::sync::{Arc, Condvar, Mutex, lock, wait};
use std::task::{Context, Poll, Waker};

/// Why nothing is acknowledged any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stopped(pub(crate) std::sync::Arc<str>);

/// A batch is durable and published, or never will be.
pub(crate) type Outcome = Result<(), Stopped>;

/// See the module. Set once.
#[derive(Debug)]
pub(crate) struct Completion {
    waiting: Mutex<Waiting>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    outcome: Option<Outcome>,
    wakers: Vec<Waker>,
}

impl Completion {
    pub(crate) fn new() -> Arc<Completion> {
        Arc::new(Completion { waiting: Mutex::new(Waiting::default()), done: Condvar::new() })
    }

    /// Sets the outcome and wakes everyone. Only the first call counts.
    pub(crate) fn complete(&self, outcome: Outcome) {
        let mut waiting = lock(&self.waiting);
        if waiting.outcome.is_some() {
            return;
        }
        waiting.outcome = Some(outcome);
        let wakers = std::mem::take(&mut waiting.wakers);
        drop(waiting);
        self.done.notify_all();
        for waker in wakers {
            waker.wake();
        }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        lock(&self.waiting).outcome.clone()
    }

    /// Asks for the outcome, or to be woken. `slot` remembers the caller's waker between polls.
    pub(crate) fn poll(&self, context: &Context<'_>, slot: &mut Option<usize>) -> Poll<Outcome> {
        let mut waiting = lock(&self.waiting);
        if let Some(outcome) = &waiting.outcome {
            return Poll::Ready(outcome.clone());
        }
        match slot.and_then(|slot| waiting.wakers.get_mut(slot)) {
            Some(waker) => waker.clone_from(context.waker()),
            None => {
                *slot = Some(waiting.wakers.len());
                waiting.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }

    /// Waits on this thread.
    pub(crate) fn wait(&self) -> Outcome {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(outcome) = &waiting.outcome {
                return outcome.clone();
            }
            waiting = wait(&self.done, waiting);
        }
    }
}
