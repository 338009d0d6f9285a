//! The evaluator's part of cleaning: copies what is live to the log's tail, and tells the versions where they lie.
//! Predecessor: `cleaning`.

use super::evaluator::{Evaluator, append_refused};
use crate::error::RequestError;
use crate::log::{Bound, Candidates, Liveness, Position, Table, used_bytes};
use crate::mvcc::{Row, State, Version};
use crate::revision::Revision;
use bytes::Bytes;

/// A version that cleaning copied; it lies at its old place until the copy is durable.
#[derive(Debug)]
pub(crate) struct Copied {
    version: Version,
    to: Position,
}

impl Evaluator {
    /// The segment to clean next, and how urgent that is in percent; None if there is nothing to do.
    pub(crate) fn next_to_clean(&self) -> Option<(u64, u64)> {
        let segments = self.appender.segments();
        let bound = self.bound();
        let oldest = self.live.next_to_clean(&segments, bound.goal())?;
        Some((oldest, bound.urgency_percent(used_bytes(&segments))))
    }

    /// How much clients' bytes are to be slowed now.
    pub(crate) fn slowness(&self) -> u64 {
        self.bound().slowness(used_bytes(&self.appender.segments()))
    }

    /// Copies what is live of some old pieces to the log's tail, as one record; None if nothing is. Call
    /// [`Evaluator::copied`] with the versions once that is durable: until then they are read at their old places, and
    /// no checkpoint may be begun.
    pub(crate) fn relocate(&mut self, candidates: Candidates) -> Result<Option<Vec<Copied>>, RequestError> {
        let Some(relocated) = candidates.relocate(&InState(&self.newest)) else { return Ok(None) };
        let before = self.appender.pending_bytes();
        let appended = self.appender.append(&relocated.record).map_err(append_refused)?;
        self.copied_bytes += self.appender.pending_bytes() - before;
        let copied = relocated.kept.into_iter().zip(&appended.moved);
        let copied = copied.map(|(version, to)| Copied { version, to: *to }).collect();
        for (write, at) in relocated.record.tables.into_iter().zip(&appended.tables) {
            let old = self.newest.row(write.table, &write.key).and_then(|row| row.position());
            // A copy, or the row would keep its whole frame.
            let value = Bytes::copy_from_slice(&write.value.unwrap_or_default());
            self.newest.set_row(write.table, &write.key, Some(Row::recovered(value, *at)));
            self.account_move(old, *at, &write.key);
            self.dirty.rows.insert((write.table, write.key));
        }
        Ok(Some(copied))
    }

    /// The copies are durable: from now on every state, old ones included, reads them.
    pub(crate) fn copied(&mut self, copied: Vec<Copied>) {
        for Copied { version, to } in copied {
            let old = version.position();
            version.set_position(to);
            // Compaction may have dropped it meanwhile; then only old states have it.
            if self.newest.version(version.key(), version.revision()).is_some() {
                self.account_move(old, to, version.key());
                self.dirty.versions.push(version);
            }
        }
    }

    /// The oldest segment was freed; the newest state names nothing in it.
    pub(crate) fn freed(&mut self) {
        self.newest.values.renew_pin();
    }

    fn bound(&self) -> Bound {
        Bound::new(self.live.total(), self.appender.segment_bytes())
    }

    fn account_move(&mut self, old: Option<Position>, new: Position, key: &[u8]) {
        self.live.added(new, key.len());
        if let Some(old) = old {
            self.live.removed(old, key.len());
        }
    }
}

/// Answers cleaning from a state that has every record of the segment that is cleaned.
pub(crate) struct InState<'a>(pub(crate) &'a State);

impl Liveness for InState<'_> {
    type Kept = Version;

    fn version(&self, key: &Bytes, revision: Revision, at: Position) -> Option<(Version, Option<i64>)> {
        let (version, superseded_at) = self.0.locate(key, revision)?;
        (version.position() == Some(at)).then(|| (version.clone(), superseded_at))
    }

    fn row(&self, table: Table, key: &Bytes, at: Position) -> bool {
        self.0.row(table, key).is_some_and(|row| row.position() == Some(at))
    }
}
