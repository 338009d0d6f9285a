//! What of old records is appended again. Comes from `cleaning`'s scan, goes through `sequencer` to `appender`.
//!
//! The look is taken twice: off the lock, at a state that is not older than the segment's end, which passes over what is
//! dead (it stays dead); and under the sequencer's lock, so that nothing can supersede a row between the look and the
//! copy. What is found there becomes one record, whatever records it comes from: a version or row is replayed by itself.

use super::record::{Event, EventKind, Moved, Position, Record, Table, TableWrite};
use super::replay::Replayed;
use crate::limits::{CLEANING_BATCH_BYTES, CLEANING_BATCH_PIECES};
use crate::revision::Revision;
use bytes::Bytes;
use std::collections::VecDeque;

/// Who knows what is live: a state of the sequencer.
pub trait Liveness {
    /// What the caller gets for each version that is copied.
    type Kept;

    /// Whether the version that lies at `at` is still needed. None: it was compacted, or moved already. Some: it is to
    /// be moved, and the main revision that superseded it, if one has.
    fn version(&self, key: &Bytes, revision: Revision, at: Position) -> Option<(Self::Kept, Option<i64>)>;

    /// Whether the row's current value is the one that lies at `at`.
    fn row(&self, table: Table, key: &Bytes, at: Position) -> bool;
}

/// Versions and rows of old records that may be live, in the log's order. Their values share the memory of their frames.
#[derive(Debug, Default)]
pub struct Candidates {
    pieces: VecDeque<(Piece, Position)>,
    bytes: usize,
}

#[derive(Debug)]
enum Piece {
    Version(Event),
    Row(TableWrite),
}

/// One record that holds what was still live of some candidates, and for each version of it what the state has.
#[derive(Debug)]
pub struct Relocated<K> {
    /// Versions as [`Moved`], rows as ordinary table writes with their current value.
    pub record: Record,
    /// Beside `record.moved`.
    pub kept: Vec<K>,
}

impl Candidates {
    /// Adds what is live of a record, as the state says.
    pub fn add(&mut self, replayed: Replayed, liveness: &impl Liveness) {
        let Replayed { record, appended } = replayed;
        let events = record.events.into_iter().zip(appended.events);
        let moved = record.moved.into_iter().map(|moved| moved.event).zip(appended.moved);
        for (event, at) in events.chain(moved) {
            if liveness.version(&event.key, event.revision, at).is_some() {
                self.push(Piece::Version(event), at);
            }
        }
        for (row, at) in record.tables.into_iter().zip(appended.tables) {
            if row.value.is_some() && liveness.row(row.table, &row.key, at) {
                self.push(Piece::Row(row), at);
            }
        }
    }

    /// Whether there are enough for a batch.
    pub fn is_full(&self) -> bool {
        self.pieces.len() >= CLEANING_BATCH_PIECES || self.bytes >= CLEANING_BATCH_BYTES
    }

    /// Takes the next batch: what one hold of the lock copies. None if there is nothing.
    pub fn next_batch(&mut self) -> Option<Candidates> {
        let mut batch = Candidates::default();
        while !batch.is_full()
            && let Some((piece, at)) = self.pieces.pop_front()
        {
            self.bytes -= piece.bytes();
            batch.push(piece, at);
        }
        (!batch.pieces.is_empty()).then_some(batch)
    }

    /// What of them has to be appended again before their segment is freed; None if nothing is live. Pure: call and
    /// append the result under the sequencer's lock.
    pub fn relocate<L: Liveness>(self, liveness: &L) -> Option<Relocated<L::Kept>> {
        let mut relocated = Relocated { record: Record::default(), kept: Vec::new() };
        for (piece, at) in self.pieces {
            match piece {
                Piece::Version(event) => {
                    let Some((kept, superseded_at)) = liveness.version(&event.key, event.revision, at) else {
                        continue;
                    };
                    relocated.record.moved.push(Moved { event, superseded_at });
                    relocated.kept.push(kept);
                }
                Piece::Row(row) if liveness.row(row.table, &row.key, at) => relocated.record.tables.push(row),
                Piece::Row(_) => {}
            }
        }
        (relocated.record != Record::default()).then_some(relocated)
    }

    fn push(&mut self, piece: Piece, at: Position) {
        self.bytes += piece.bytes();
        self.pieces.push_back((piece, at));
    }
}

impl Piece {
    fn bytes(&self) -> usize {
        match self {
            Piece::Version(Event { key, kind: EventKind::Put(kv), .. }) => key.len() + kv.len(),
            Piece::Version(Event { key, .. }) => key.len(),
            Piece::Row(TableWrite { key, value, .. }) => key.len() + value.as_ref().map_or(0, Bytes::len),
        }
    }
}

#[cfg(test)]
mod tests;
