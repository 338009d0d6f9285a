//! A task's way to the evaluator's lock. Predecessor: `guarded`; successor: `sequencer`.

use super::evaluator::Evaluator;
use super::queue::{CommitQueue, Entered};
use crate::error::RequestError;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Takes the lock when it is free; while another thread has it, the tasks that are ready on this one go first. To sleep
/// for the lock would cost two switches of threads, more than what is done under it. After [`YIELDS_MAX`] times it waits
/// all the same: nobody is passed for ever.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    queue: &'a CommitQueue<Evaluator>,
    yields: u32,
}

/// See [`Turn`].
const YIELDS_MAX: u32 = 16;

impl<'a> Turn<'a> {
    pub(super) fn new(queue: &'a CommitQueue<Evaluator>) -> Turn<'a> {
        Turn { queue, yields: 0 }
    }
}

impl<'a> Future for Turn<'a> {
    type Output = Result<Entered<'a, Evaluator>, RequestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let entered = match self.queue.try_enter() {
            Some(entered) => entered,
            None if self.yields < YIELDS_MAX => {
                self.yields += 1;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            None => self.queue.enter(),
        };
        Poll::Ready(entered.map_err(RequestError::from))
    }
}
