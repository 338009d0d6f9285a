//! Gives segments back. Comes from the store's cleaning task, goes through `sequencer` to `appender`, then back here.
//!
//! The log is a circle: only the **oldest** segment is ever cleaned. What of it is still live is appended again at the
//! tail (`relocation`). When those records are durable and published, [`Cleaner::free_segment`] gives the file back.
//!
//! Why nothing is lost, and nothing dead comes back:
//! - Nothing live is in the segment when it is freed, since everything live was durable in a newer one before.
//! - A tombstone (or a deleted row) that compaction made dead is dropped with its segment. Every older version of its
//!   key lay in that segment or in an older one, which is gone, or was moved; a version that is moved after it was
//!   superseded says so itself (`superseded_at`), and the compaction that drops it is in the log or in a header.
//! - A live tombstone is moved like any version.
//! - The revision and the compact revision are in every segment's header, so the records that set them may go.
//! - A row that was moved is newer in the log than any other write to it that is still there, and equal to the newest.
//!
//! A checkpoint of the index that names the freed segment is put right by the replay from its point: the records that
//! moved the live versions are behind it, or were in it.

use super::codec::CodecError;
use super::failure::Fatal;
use super::record::Position;
use super::replay::Replayed;
use super::segments::{SegmentInfo, Segments};
use super::walk::Walk;
use crate::limits::LIVE_OVERHEAD_BYTES;
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use thiserror::Error;

/// Why a segment was not scanned.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CleanError {
    /// It is not part of the log, or is the newest one, which is still being written.
    #[error("segment {0} cannot be cleaned: it is gone, or still being written")]
    NotSealed(u64),
    /// It cannot be read.
    #[error("reading segment {segment} failed: {source}")]
    Io {
        /// Its number.
        segment: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A record of it is damaged.
    #[error("segment {segment} is damaged at offset {offset}; restore this site from a snapshot or from a peer")]
    Damaged {
        /// Its number.
        segment: u64,
        /// Where.
        offset: u32,
    },
    /// A record of it cannot be read.
    #[error("a record of segment {segment} cannot be read: {source}")]
    Record {
        /// Its number.
        segment: u64,
        /// What is wrong.
        source: CodecError,
    },
    /// Freeing failed: the log stopped.
    #[error(transparent)]
    Stopped(#[from] Fatal),
}

/// Live bytes by segment: what cleaning would have to copy. Owned by the sequencer; a plain sum, kept by telling it of
/// every version and row that comes and goes (at recovery too).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LiveBytes {
    by_segment: BTreeMap<u64, u64>,
    total: u64,
}

impl LiveBytes {
    /// A version or row became live: `key_bytes` is the length of its key.
    pub fn added(&mut self, position: Position, key_bytes: usize) {
        let cost = cost(position, key_bytes);
        *self.by_segment.entry(position.segment).or_default() += cost;
        self.total += cost;
    }

    /// It is not live there any more: compacted, overwritten or moved.
    pub fn removed(&mut self, position: Position, key_bytes: usize) {
        let Some(live) = self.by_segment.get_mut(&position.segment) else {
            debug_assert!(false, "removed from a segment without live bytes: {position:?}");
            return;
        };
        let taken = cost(position, key_bytes).min(*live);
        *live -= taken;
        self.total -= taken;
        if *live == 0 {
            self.by_segment.remove(&position.segment);
        }
    }

    /// All live bytes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Live bytes of one segment.
    pub fn of(&self, segment: u64) -> u64 {
        self.by_segment.get(&segment).copied().unwrap_or_default()
    }

    /// The segment to clean next: the oldest, if the log's frames take more than `allowed`. Above the live bytes and one
    /// segment, that ends after one turn of the circle at most: the newest is never cleaned. Where `allowed` is twice the
    /// live bytes, cleaning copies at most one byte for each that it frees, in the long run; at one and a half, two.
    /// An oldest segment without live bytes is always freed: that costs nothing.
    pub fn next_to_clean(&self, segments: &[SegmentInfo], allowed: u64) -> Option<u64> {
        let [oldest, _, ..] = segments else { return None };
        (self.of(oldest.sequence) == 0 || used_bytes(segments) > allowed).then_some(oldest.sequence)
    }
}

/// Bytes that the frames of some segments take.
pub fn used_bytes(segments: &[SegmentInfo]) -> u64 {
    segments.iter().map(|segment| u64::from(segment.end)).sum()
}

fn cost(position: Position, key_bytes: usize) -> u64 {
    u64::from(position.length) + key_bytes as u64 + LIVE_OVERHEAD_BYTES
}

/// Scans and frees segments. Owned by the cleaning task.
#[derive(Clone, Debug)]
pub struct Cleaner {
    segments: Arc<Segments>,
}

impl Cleaner {
    pub(crate) fn new(segments: &Arc<Segments>) -> Cleaner {
        Cleaner { segments: Arc::clone(segments) }
    }

    /// The segments, oldest first. `end` is where the durable log ends ([`Syncer::durable`](super::Syncer::durable)).
    pub fn segments(&self, end: super::LogPoint) -> Vec<SegmentInfo> {
        self.segments.infos(end.offset)
    }

    /// Looks how much room the disk has, and says why the store may not grow, if so.
    pub fn space_error(&self) -> Option<String> {
        self.segments.look_at_space();
        self.segments.space_error()
    }

    /// Bytes of the log's files: segments and spares.
    pub fn file_bytes(&self) -> u64 {
        self.segments.file_bytes()
    }

    /// Visits a sealed segment's records in order, until the visitor breaks.
    ///
    /// # Errors
    /// The segment is not sealed, or cannot be read whole: then nothing may be freed.
    pub fn scan_segment(
        &self,
        segment: u64,
        visit: &mut dyn FnMut(Replayed) -> ControlFlow<()>,
    ) -> Result<(), CleanError> {
        let not_sealed = CleanError::NotSealed(segment);
        let Some(scanned) = self.segments.get(segment) else { return Err(not_sealed) };
        let Some(next) = self.segments.get(segment + 1) else { return Err(not_sealed) };
        let mut walk = Walk::new(&scanned);
        while walk.next().offset != next.header.previous_end {
            let frame = walk.step().map_err(|source| CleanError::Io { segment, source })?;
            let damaged = CleanError::Damaged { segment, offset: walk.next().offset };
            let frame = frame.ok_or(damaged)?;
            if frame.header.kind != super::format::FrameKind::Record {
                continue;
            }
            let replayed = Replayed::decode(&frame).map_err(|source| CleanError::Record { segment, source })?;
            if visit(replayed).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Gives the oldest segment back, durably. Call it only when everything that was in the log when its last record was
    /// looked at is durable (what was moved, and the compaction that made the rest dead), and the published state names
    /// the new places.
    ///
    /// # Errors
    /// It is not the oldest or not sealed, or the system refused: then the log stops for good.
    pub fn free_segment(&self, segment: u64) -> Result<(), CleanError> {
        let set = self.segments.set();
        let oldest = set.keys().next().copied();
        if oldest != Some(segment) || set.len() < 2 {
            return Err(CleanError::NotSealed(segment));
        }
        drop(set);
        self.segments.failure.check()?;
        let freed = self.segments.free(segment);
        freed.map_err(|error| self.segments.failure.set(format!("freeing segment {segment} failed: {error}")))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
