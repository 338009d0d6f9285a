//! The door to the evaluator, and the log-writer thread behind it. Predecessor: `Store`; successor: `log::Syncer`, then
//! `watch::Publication`.

use super::commit::Commit;
use super::completion::Stopped;
use super::evaluator::Evaluator;
use super::queue::{CommitQueue, Entered};
use super::ticket::Ticket;
use crate::error::RequestError;
use crate::limits::{COMMIT_BACKLOG_BYTES_MAX, COMMIT_BACKLOG_MAX};
use crate::log::Syncer;
use crate::mvcc::State;
use crate::sync::{Arc, Signal, Subscription};
use crate::watch::Publication;

/// See the module.
#[derive(Debug)]
pub(crate) struct Sequencer {
    queue: CommitQueue<Evaluator>,
    publication: Arc<Publication<State>>,
    /// Raised after a batch that wrote rows of shares was published.
    share_writes: Signal,
}

impl Sequencer {
    pub(crate) fn new(evaluator: Evaluator) -> Sequencer {
        let published = evaluator.newest.clone();
        let (revision, share_writes) = (published.revision, Signal::new(published.share_writes));
        let publication = Arc::new(Publication::new(published, revision));
        Sequencer { queue: CommitQueue::new(evaluator), publication, share_writes }
    }

    /// Changes when durable rows of shares did.
    pub(crate) fn subscribe_shares(&self) -> Subscription {
        self.share_writes.subscribe()
    }

    pub(crate) fn publication(&self) -> &Arc<Publication<State>> {
        &self.publication
    }

    /// Evaluates a change under the lock. `emits`: the emit seam sees it. An Err means that nothing happened.
    pub(crate) fn commit<R, E: From<RequestError>>(
        &self,
        emits: bool,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
    ) -> Result<(R, Ticket), E> {
        self.commit_and(emits, change, |_, _| ())
    }

    /// As [`Sequencer::commit`]; `then` runs under the same lock once the record is appended.
    pub(crate) fn commit_and<R, E: From<RequestError>>(
        &self,
        emits: bool,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
        then: impl FnOnce(&mut Evaluator, &R),
    ) -> Result<(R, Ticket), E> {
        let mut entered = self.enter()?;
        if entered.commits() >= COMMIT_BACKLOG_MAX || entered.pending_bytes() >= COMMIT_BACKLOG_BYTES_MAX {
            return Err(RequestError::TooManyRequests.into());
        }
        let (result, changed) = entered.evaluate(emits, change)?;
        then(&mut entered, &result);
        let completion = if changed { Some(entered.push()) } else { entered.settle() };
        Ok((result, Ticket::new(completion)))
    }

    /// Takes the lock for work on the evaluator itself.
    pub(crate) fn enter(&self) -> Result<Entered<'_, Evaluator>, RequestError> {
        self.queue.enter().map_err(RequestError::from)
    }

    /// Looks at the evaluator, also when the store is closed or stopped.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut Evaluator) -> R) -> R {
        self.queue.with(look)
    }

    /// Lets the log writer drain and end.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Stops acknowledging for good.
    pub(crate) fn stop(&self, reason: &str) {
        self.queue.stop(Stopped(reason.into()));
    }

    /// The log-writer thread: one batch after the other, whole, without a timer. Ends when the queue is closed and
    /// drained, or when the log failed.
    pub(crate) fn write_batches(&self, syncer: &mut Syncer) {
        let guard = StopOnPanic(self);
        self.write_until_closed(syncer);
        std::mem::forget(guard);
    }

    fn write_until_closed(&self, syncer: &mut Syncer) {
        let mut share_writes = self.publication.load().share_writes;
        while let Some((sealed, completion)) = self.queue.next(Evaluator::seal) {
            if let Some(batch) = sealed.batch
                && let Err(fatal) = syncer.write(batch)
            {
                self.stop(&fatal.to_string());
                return;
            }
            let (revision, wrote) = (sealed.state.revision, sealed.state.share_writes);
            self.publication.publish(sealed.state, revision);
            if wrote != share_writes {
                share_writes = wrote;
                self.share_writes.raise(wrote);
            }
            completion.complete(Ok(()));
        }
        if syncer.fatal().is_none()
            && let Some(batch) = self.with(Evaluator::seal_closed)
            && let Err(fatal) = syncer.write(batch)
        {
            self.stop(&fatal.to_string());
        }
    }
}

/// A log writer that panics leaves nobody waiting: whoever waits is refused.
struct StopOnPanic<'a>(&'a Sequencer);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        self.0.stop("the log writer panicked");
    }
}
