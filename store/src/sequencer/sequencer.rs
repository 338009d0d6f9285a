//! The door to the evaluator, and the log-writer thread behind it. Predecessor: `Store`; successor: `log::Syncer`, then
//! `watch::Publication`.

use super::commit::Commit;
use super::completion::{Completion, Stopped};
use super::evaluator::{Evaluator, Sealed};
use super::queue::{CommitQueue, Entered, Pushed};
use super::throttle::Throttle;
use super::ticket::Ticket;
use super::turn::Turn;
use crate::clock::Clock;
use crate::error::RequestError;
use crate::limits::{COMMIT_BACKLOG_BYTES_MAX, COMMIT_BACKLOG_MAX, INLINE_WRITE_US_MAX, WRITE_DELAY_STEP_MS};
use crate::log::Syncer;
use crate::mvcc::State;
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, Signal, Subscription, lock, thread};
use crate::watch::Publication;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub(crate) struct Sequencer {
    queue: Arc<CommitQueue<Evaluator>>,
    /// Held by whoever writes a batch; the queue lets one in at a time. None once the queue is closed and drained: the
    /// directory is free then.
    writer: Mutex<Option<Writer>>,
    /// The last batch took so little time that a client's thread may wait for the disk itself.
    is_quick: AtomicBool,
    /// How much a batch is slowed because the log is larger than it may be: nanoseconds a MiB of clients' own bytes.
    slowness: AtomicU64,
    /// There is a thread that cleans the log, and it can; otherwise nobody would be helped by waiting.
    is_cleaned: AtomicBool,
    clock: Arc<dyn Clock>,
    publication: Arc<Publication<State>>,
    /// Raised after a batch that wrote rows of shares was published.
    share_writes: Signal,
}

#[derive(Debug)]
struct Writer {
    syncer: Syncer,
    /// Of the state that was published last.
    share_writes: i64,
}

impl Sequencer {
    pub(crate) fn new(evaluator: Evaluator, syncer: Syncer, clock: Arc<dyn Clock>, is_cleaned: bool) -> Sequencer {
        let published = evaluator.newest.clone();
        let (revision, share_writes) = (published.revision, published.share_writes);
        Sequencer {
            queue: Arc::new(CommitQueue::new(evaluator)),
            writer: Mutex::new(Some(Writer { syncer, share_writes })),
            is_quick: AtomicBool::new(true),
            slowness: AtomicU64::new(0),
            is_cleaned: AtomicBool::new(is_cleaned),
            clock,
            publication: Arc::new(Publication::new(published, revision)),
            share_writes: Signal::new(share_writes),
        }
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

    /// As [`Sequencer::commit`], for a task: it does not sleep for the lock ([`Turn`]).
    pub(crate) async fn commit_in_turn<R, E: From<RequestError>>(
        &self,
        emits: bool,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
    ) -> Result<(R, Ticket), E> {
        let entered = Turn::new(&self.queue).await?;
        self.commit_entered(entered, emits, change, |_, _| ())
    }

    /// As [`Sequencer::commit`]; `then` runs under the same lock once the record is appended.
    pub(crate) fn commit_and<R, E: From<RequestError>>(
        &self,
        emits: bool,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
        then: impl FnOnce(&mut Evaluator, &R),
    ) -> Result<(R, Ticket), E> {
        self.commit_entered(self.enter()?, emits, change, then)
    }

    fn commit_entered<R, E: From<RequestError>>(
        &self,
        mut entered: Entered<'_, Evaluator>,
        emits: bool,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
        then: impl FnOnce(&mut Evaluator, &R),
    ) -> Result<(R, Ticket), E> {
        if entered.commits() >= COMMIT_BACKLOG_MAX || entered.pending_bytes() >= COMMIT_BACKLOG_BYTES_MAX {
            return Err(RequestError::TooManyRequests.into());
        }
        let (result, changed) = entered.evaluate(emits, change)?;
        then(&mut entered, &result);
        if !changed {
            return Ok((result, Ticket::of(entered.settle())));
        }
        let place = if self.is_quick.load(Ordering::Relaxed) && self.slowness.load(Ordering::Relaxed) == 0 {
            match entered.push_or_take(Evaluator::seal) {
                Pushed::Waits(place) => place,
                Pushed::Writes(sealed, completion) => {
                    let guard = StopOnPanic(self);
                    // What is held goes with the throttle, at once: nobody is slowed who found nobody to wait for.
                    self.write(sealed, &completion, &mut Throttle::default());
                    std::mem::forget(guard);
                    return Ok((result, Ticket::of(Some(completion))));
                }
            }
        } else {
            entered.push()
        };
        Ok((result, Ticket::waiting(place, &self.queue)))
    }

    /// Takes the lock for work on the evaluator itself.
    pub(crate) fn enter(&self) -> Result<Entered<'_, Evaluator>, RequestError> {
        self.queue.enter().map_err(RequestError::from)
    }

    /// Looks at the evaluator, also when the store is closed or stopped.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut Evaluator) -> R) -> R {
        self.queue.with(look)
    }

    /// Says how much clients' bytes are slowed from now on.
    pub(crate) fn slow(&self, slowness: u64) {
        let slowness = if self.is_cleaned.load(Ordering::Relaxed) { slowness } else { 0 };
        match (self.slowness.swap(slowness, Ordering::Relaxed), slowness) {
            (0, 1..) => tracing::warn!("the commit log is at its bound; writes wait for its cleaning"),
            (1.., 0) => tracing::info!("the commit log is within its bound again; writes do not wait"),
            _ => {}
        }
    }

    /// Cleaning has ended: clients are not slowed for it any more.
    pub(crate) fn never_slow(&self) {
        self.is_cleaned.store(false, Ordering::Relaxed);
        self.slow(0);
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
    pub(crate) fn write_batches(&self) {
        let guard = StopOnPanic(self);
        let mut throttle = Throttle::default();
        while let Some((sealed, completion)) = self.next(&mut throttle) {
            self.write(sealed, &completion, &mut throttle);
        }
        drop(throttle);
        if let Some(Writer { mut syncer, .. }) = lock(&self.writer).take()
            && syncer.fatal().is_none()
            && let Some(batch) = self.with(Evaluator::seal_closed)
            && let Err(fatal) = syncer.write(batch)
        {
            self.stop(&fatal.to_string());
        }
        std::mem::forget(guard);
    }

    fn next(&self, throttle: &mut Throttle) -> Option<(Sealed, Arc<Completion>)> {
        while throttle.release(self.clock.monotonic()) {
            if let Some(taken) = self.queue.next_now(Evaluator::seal) {
                return Some(taken);
            }
            thread::sleep(Duration::from_millis(WRITE_DELAY_STEP_MS));
        }
        self.queue.next(Evaluator::seal)
    }

    /// Makes a batch durable, publishes it, and wakes who waits for it: in this order.
    fn write(&self, mut sealed: Sealed, completion: &Arc<Completion>, throttle: &mut Throttle) {
        let admit_values = sealed.admission();
        let mut held = lock(&self.writer);
        let writer = held.as_mut().expect("invariant: no batch is taken once the queue is closed and drained");
        let began = self.clock.monotonic();
        if let Some(batch) = sealed.batch
            && let Err(fatal) = writer.syncer.write(batch)
        {
            drop(held);
            self.stop(&fatal.to_string());
            self.queue.finish();
            return;
        }
        if let Some(slowness) = sealed.slowness {
            self.slow(slowness);
        }
        let took = self.clock.monotonic().saturating_sub(began);
        self.is_quick.store(took <= Duration::from_micros(INLINE_WRITE_US_MAX), Ordering::Relaxed);
        let (revision, wrote) = (sealed.state.revision, sealed.state.share_writes);
        self.publication.publish(sealed.state, revision);
        if std::mem::replace(&mut writer.share_writes, wrote) != wrote {
            self.share_writes.raise(wrote);
        }
        drop(held);
        throttle.complete(completion, self.slowness.load(Ordering::Relaxed), sealed.client_bytes as u64, began + took);
        self.queue.finish();
        admit_values();
    }
}

/// A log writer that panics leaves nobody waiting: whoever waits is refused.
struct StopOnPanic<'a>(&'a Sequencer);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        self.0.stop("the log writer panicked");
    }
}
