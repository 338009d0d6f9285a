//! What the store's threads share, and what they do besides writing batches: expiry, compaction, checkpoints. `cleaning`
//! adds the rest.

use crate::checkpoint::Checkpoint;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::RequestError;
use crate::index::Backend;
use crate::lease::{granted_s, row_id};
use crate::limits::{CHECKPOINT_DIRTY_MAX, COMPACTION_PAUSE_US, LEASE_EXPIRIES_PER_CHECK_MAX};
use crate::log::{Cleaner, Table};
use crate::mvcc::State;
use crate::recovery::Indexed;
use crate::sequencer::{self, CheckpointWork, Sequencer, Ticket};
use crate::sync::{Arc, AtomicBool, Mutex, Ordering, lock, thread};
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) sequencer: Sequencer,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) cleaner: Cleaner,
    index: Arc<dyn Backend>,
    checkpoint: Mutex<Checkpoint>,
    /// The disk is nearly full: only what makes room is taken.
    pub(crate) is_full: AtomicBool,
    /// The oldest segment cannot be read where something lies that is kept: nothing can be freed any more.
    pub(crate) is_stuck: AtomicBool,
}

impl Core {
    pub(crate) fn new(
        config: Config,
        sequencer: Sequencer,
        clock: Arc<dyn Clock>,
        cleaner: Cleaner,
        index: Arc<dyn Backend>,
        indexed: Indexed,
    ) -> Core {
        let checkpoint = Checkpoint::new(indexed, index.disk_bytes(), clock.monotonic());
        Core {
            config,
            sequencer,
            clock,
            cleaner,
            index,
            checkpoint: Mutex::new(checkpoint),
            is_full: AtomicBool::new(false),
            is_stuck: AtomicBool::new(false),
        }
    }

    /// Revokes leases whose time is over, one revision each, and returns how many.
    pub(crate) fn expire_leases(&self) -> Result<usize, RequestError> {
        let now = self.clock.monotonic();
        let expired = self.sequencer.with(|evaluator| evaluator.deadlines.expired(now, LEASE_EXPIRIES_PER_CHECK_MAX));
        let mut last = None;
        let mut revoked = 0;
        for id in expired {
            // Looked at again under the lock: a renewal may have come between.
            let still = |evaluator: &mut sequencer::Evaluator| {
                evaluator.deadlines.remaining(id, now).is_some_and(|remaining| remaining.is_zero())
            };
            if !self.sequencer.with(still) {
                continue;
            }
            match self.revoke(id) {
                Ok((_, ticket)) => {
                    revoked += 1;
                    last = Some(ticket);
                }
                Err(RequestError::LeaseNotFound) => {}
                // The next check tries again.
                Err(RequestError::TooManyRequests) => break,
                Err(error @ RequestError::Stopped(_)) => return Err(error),
                Err(error) => tracing::warn!(lease = id, %error, "a lease that expired cannot be revoked yet"),
            }
        }
        last.map_or(Ok(()), Ticket::wait)?;
        Ok(revoked)
    }

    /// Deletes a lease with its keys; the header's revision comes back.
    pub(crate) fn revoke(&self, id: i64) -> Result<(i64, Ticket), RequestError> {
        let change = |commit: &mut sequencer::Commit<'_>| {
            sequencer::revoke(commit, id)?;
            Ok(commit.revision())
        };
        self.sequencer.commit_and(true, change, |evaluator, _| evaluator.deadlines.remove(id))
    }

    /// Takes what compaction hides out of the trees, slice by slice.
    pub(crate) fn compact_physically(&self) -> Result<(), RequestError> {
        while !self.compact_slice()? {
            // Or this thread would take the lock again before those who wait for it have woken up.
            thread::sleep(Duration::from_micros(COMPACTION_PAUSE_US));
        }
        Ok(())
    }

    /// One slice of it. True when nothing is left; the smaller state is then published.
    pub(crate) fn compact_slice(&self) -> Result<bool, RequestError> {
        let mut entered = self.sequencer.enter()?;
        if !entered.is_compacting() {
            return Ok(true);
        }
        let done = entered.compact_slice();
        if done {
            entered.nudge();
        }
        Ok(done)
    }

    /// One round of compaction, checkpoint and cleaning, until nothing is left to do or `halt` says so. With `force`, a
    /// checkpoint is made that is not due.
    pub(crate) fn maintain(&self, force: bool, halt: &dyn Fn() -> bool) -> Result<(), RequestError> {
        let is_full = self.cleaner.space_error().is_some();
        self.is_full.store(is_full, Ordering::Relaxed);
        let mut checkpoint = lock(&self.checkpoint);
        let mut forced = force;
        loop {
            // Before each segment, as cleaning writes too and takes its time: what a start replays stays bounded.
            self.compact_physically()?;
            if std::mem::take(&mut forced) || self.is_due(&checkpoint) {
                self.make_checkpoint(&mut checkpoint)?;
            }
            if halt() || !self.clean_segment(&mut checkpoint, halt)? {
                return Ok(());
            }
        }
    }

    fn is_due(&self, checkpoint: &Checkpoint) -> bool {
        let (dirty, end) = self.sequencer.with(|evaluator| (evaluator.dirty_len(), evaluator.log_end()));
        if dirty == 0 {
            return false;
        }
        let point = checkpoint.point();
        let segments = end.segment.saturating_sub(point.segment);
        let written = (segments * u64::from(self.config.segment_bytes) + u64::from(end.offset))
            .saturating_sub(u64::from(point.offset));
        let age = self.clock.monotonic().saturating_sub(checkpoint.made_at);
        dirty >= CHECKPOINT_DIRTY_MAX
            || written >= self.config.checkpoint_bytes
            || age >= Duration::from_millis(self.config.checkpoint_interval_ms)
    }

    /// Brings the index up to the log's end of this moment.
    pub(crate) fn make_checkpoint(&self, checkpoint: &mut Checkpoint) -> Result<(), RequestError> {
        checkpoint.made_at = self.clock.monotonic();
        if checkpoint.failed {
            // Nobody will ask: the next start rebuilds the index.
            self.sequencer.with(|evaluator| drop(evaluator.begin_checkpoint()));
            return Ok(());
        }
        let mut entered = self.sequencer.enter()?;
        let CheckpointWork { mut dirty, state, point } = entered.begin_checkpoint();
        // The index may name only what is durable in the log.
        Ticket::of(entered.settle()).wait()?;
        dirty.versions.sort_unstable_by(|a, b| a.key().cmp(b.key()));
        dirty.versions.dedup_by(|a, b| a.key() == b.key());
        if let Err(error) = checkpoint.write(self.index.as_ref(), &dirty, &state, point) {
            tracing::warn!(%error, "the site goes on without its index");
            checkpoint.failed = true;
        }
        Ok(())
    }
}

/// Leases of a state, with their granted TTL in seconds.
pub(crate) fn leases(state: &State) -> Vec<(i64, i64)> {
    let rows = state.rows(Table::Lease, &[]);
    rows.iter().filter_map(|(key, value)| Some((row_id(key)?, granted_s(value)?))).collect()
}
