//! Reads single values. Any thread, at any time; only positions that are durable.

use super::codec::PIECE_CRC_BYTES;
use super::record::Position;
use super::segments::{Segment, SegmentSet, Segments};
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

/// The segments of one moment, held for a reader that holds on to that moment's positions: they stay readable until
/// it is dropped, even if cleaning frees them. Take it before the published state whose positions it shall serve.
#[derive(Clone, Debug)]
pub struct ReadPin {
    set: Arc<SegmentSet>,
    reader: Reader,
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
        let freed = ReadError::Freed { segment: position.segment };
        match self.segments.get(position.segment) {
            Some(segment) => read_from(&segment, position),
            None => Err(freed),
        }
    }

    /// Holds the segments of this moment.
    pub fn pin(&self) -> ReadPin {
        ReadPin { set: self.segments.set(), reader: self.clone() }
    }
}

impl ReadPin {
    /// As [`Reader::read`], also from segments that were freed since the pin was taken.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn read(&self, position: Position) -> Result<Bytes, ReadError> {
        match self.set.get(&position.segment) {
            Some(segment) => read_from(segment, position),
            None => self.reader.read(position),
        }
    }
}

/// The caller holds the segment, so its file is not recycled meanwhile.
fn read_from(segment: &Segment, position: Position) -> Result<Bytes, ReadError> {
    if position.length == 0 {
        return Ok(Bytes::new());
    }
    let Some(start) = position.offset.checked_sub(PIECE_CRC_BYTES) else { return Err(ReadError::Damaged(position)) };
    let mut buffer = vec![0; (PIECE_CRC_BYTES + position.length) as usize];
    let read = segment.file.read_exact_at(&mut buffer, u64::from(start));
    read.map_err(|source| ReadError::Io { position, source })?;
    let mut piece = Bytes::from(buffer);
    let crc = piece.split_to(PIECE_CRC_BYTES as usize);
    if *crc == crc32fast::hash(&piece).to_le_bytes()[..] { Ok(piece) } else { Err(ReadError::Damaged(position)) }
}
