//! Reads single values. Any thread, at any time; only positions that are durable.

use super::pin::Era;
use super::record::Position;
use super::segments::{Segment, Segments};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Why a value could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Cleaning gave the segment back: look the version up again, it has moved, or was compacted.
    #[error("segment {segment} was cleaned")]
    Freed {
        /// The segment that is gone.
        segment: u64,
    },
    /// The value's checksum is wrong.
    #[error(
        "the commit log is damaged: the value at {0:?} has a wrong checksum; restore this site from a snapshot or a peer"
    )]
    Damaged(Position),
    /// The system refused.
    #[error("reading the commit log at {position:?} failed: {source}")]
    Io {
        /// What was read.
        position: Position,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads values by position, concurrently with appends. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reader {
    segments: Arc<Segments>,
}

/// Holds the positions of one moment: they stay readable until it is dropped, even if cleaning frees their segments.
/// Take it before the state whose positions it shall serve. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ReadPin {
    segments: Arc<Segments>,
    era: Arc<Era>,
}

impl Reader {
    pub(crate) fn new(segments: &Arc<Segments>) -> Reader {
        Reader { segments: Arc::clone(segments) }
    }

    /// Reads the value at a durable position and checks it.
    ///
    /// # Errors
    /// The segment was freed since, the value is damaged, or the system refused.
    pub fn read(&self, position: Position) -> Result<Bytes, ReadError> {
        match self.segments.get(position.segment) {
            Some(segment) => read_from(&segment, position),
            None => Err(ReadError::Freed { segment: position.segment }),
        }
    }

    /// Holds the segments of this moment.
    pub fn pin(&self) -> ReadPin {
        ReadPin { segments: Arc::clone(&self.segments), era: self.segments.era() }
    }
}

impl ReadPin {
    /// Lets go of what was freed so far: for a holder that has no positions in it any more.
    pub(crate) fn renewed(&self) -> ReadPin {
        ReadPin { segments: Arc::clone(&self.segments), era: self.segments.era() }
    }

    /// As [`Reader::read`], also from segments that were freed since the pin was taken.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read(&self, position: Position) -> Result<Bytes, ReadError> {
        read_from(&*self.segment(position.segment)?, position)
    }

    /// Reads values that lie near each other in one segment with one read. `positions` are sorted and not empty; what
    /// comes back is in their order, each with its own outcome.
    pub(crate) fn read_run(&self, positions: &[Position]) -> Vec<Result<Bytes, ReadError>> {
        let (Some(first), Some(last)) = (positions.first(), positions.last()) else { return Vec::new() };
        let read = || -> Result<Vec<u8>, ReadError> {
            let segment = self.segment(first.segment)?;
            let mut buffer = vec![0; (last.offset + last.length).saturating_sub(first.offset) as usize];
            let read = segment.file.read_exact_at(&mut buffer, u64::from(first.offset));
            read.map_err(|source| ReadError::Io { position: *first, source })?;
            Ok(buffer)
        };
        let Ok(buffer) = read() else {
            // One by one: each value gets its own error, and what can be read is.
            return positions.iter().map(|position| self.read(*position)).collect();
        };
        let value = |position: &Position| {
            let start = (position.offset - first.offset) as usize;
            let bytes = buffer.get(start..start + position.length as usize).unwrap_or_default();
            checked(Bytes::copy_from_slice(bytes), *position)
        };
        positions.iter().map(value).collect()
    }

    /// The first segment from a number on that is written no more, and where its frames end.
    pub(crate) fn closed_from(&self, sequence: u64) -> Option<(Arc<Segment>, u32)> {
        let set = self.segments.set();
        let mut from = set.range(sequence..);
        let nexts = set.range(sequence..).skip(1);
        let (_, segment) = from.next()?;
        nexts.map(|(_, next)| (Arc::clone(segment), next.header.previous_end)).next()
    }

    /// The newest segment that is written no more.
    pub(crate) fn closed_last(&self) -> Option<u64> {
        self.segments.set().keys().nth_back(1).copied()
    }

    /// The pin is older than the look-up, so what is not in the log any more is in an era that it holds.
    fn segment(&self, sequence: u64) -> Result<Arc<Segment>, ReadError> {
        let found = self.segments.get(sequence).or_else(|| self.era.freed(sequence));
        found.ok_or(ReadError::Freed { segment: sequence })
    }
}

/// The caller holds the segment, so its file is not recycled meanwhile.
fn read_from(segment: &Segment, position: Position) -> Result<Bytes, ReadError> {
    if position.length == 0 {
        return Ok(Bytes::new());
    }
    let mut buffer = vec![0; position.length as usize];
    let read = segment.file.read_exact_at(&mut buffer, u64::from(position.offset));
    read.map_err(|source| ReadError::Io { position, source })?;
    checked(Bytes::from(buffer), position)
}

fn checked(bytes: Bytes, position: Position) -> Result<Bytes, ReadError> {
    if crc32fast::hash(&bytes) == position.crc { Ok(bytes) } else { Err(ReadError::Damaged(position)) }
}
