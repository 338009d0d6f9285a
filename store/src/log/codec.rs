//! A record's payload, by hand: it never panics, whatever the bytes are.
//!
//! ```text
//! payload  = events tables compact moved
//! events   = varint count, then each: event
//! event    = kind (1 put, 2 delete) · varint main · varint sub · bytes key · for a put: piece
//! tables   = varint count, then each: table · (0 delete, 1 put) · bytes key · for a put: piece
//! compact  = varint: 0 = none, else revision + 1
//! moved    = varint count, then each: event · varint superseded_at: 0 = none, else revision + 1
//! bytes    = varint length, then that many bytes
//! piece    = varint length · crc32 of the bytes (4) · the bytes
//! ```
//!
//! A [`Position`] addresses the bytes of a piece. A piece has a checksum of its own, so that reading one value checks
//! it without reading the whole frame.

use super::point::LogPoint;
use super::record::{Event, EventKind, Moved, Position, Record, Table, TableWrite};
use crate::revision::Revision;
use bytes::Bytes;
use thiserror::Error;

/// Bytes of a piece's checksum, right before the piece.
pub(crate) const PIECE_CRC_BYTES: u32 = 4;

const PUT: u8 = 1;
const DELETE: u8 = 2;

/// Why a payload is not a record. A frame's checksum was right, so the writer was another version, or wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The payload ends inside a field.
    #[error("the record ends too early")]
    Truncated,
    /// A number does not fit its field.
    #[error("a number in the record does not fit")]
    Overflow,
    /// An event or row kind that this version does not know.
    #[error("the record holds a kind {0} that this version does not know; use the version that wrote it")]
    UnknownKind(u8),
    /// Bytes follow the record.
    #[error("the record is followed by bytes that this version does not know")]
    Trailing,
    /// A value's own checksum is wrong.
    #[error("a value's checksum is wrong")]
    Checksum,
}

/// Where a record's pieces lie: one for each event, table write and moved version, in order. A tombstone and a deleted
/// row have length 0 and the place where they are written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Pieces {
    pub(crate) events: Vec<Position>,
    pub(crate) tables: Vec<Position>,
    pub(crate) moved: Vec<Position>,
}

/// Appends the record's payload to `out`. `payload` is the place in the segment that `out`'s end stands for.
pub(crate) fn encode(record: &Record, payload: LogPoint, out: &mut Vec<u8>) -> Pieces {
    let mut to = Encoder { base: out.len(), segment: payload.segment, offset: payload.offset, out };
    let mut pieces = Pieces::default();
    to.varint(record.events.len() as u64);
    pieces.events = record.events.iter().map(|event| to.event(event)).collect();
    to.varint(record.tables.len() as u64);
    pieces.tables = record.tables.iter().map(|write| to.table(write)).collect();
    to.optional(record.compact);
    to.varint(record.moved.len() as u64);
    for moved in &record.moved {
        pieces.moved.push(to.event(&moved.event));
        to.optional(moved.superseded_at);
    }
    pieces
}

/// An upper bound of the payload's length, also of any part of the record that cleaning copies.
pub(crate) fn encoded_len_max(record: &Record) -> usize {
    let event = |event: &Event| {
        let value = match &event.kind {
            EventKind::Put(kv) => kv.len() + 9,
            EventKind::Delete => 0,
        };
        1 + 20 + 5 + event.key.len() + value + 10
    };
    let tables = record.tables.iter().map(|w| 2 + 5 + w.key.len() + w.value.as_ref().map_or(0, |v| v.len() + 9));
    40 + record.events.iter().map(event).sum::<usize>()
        + tables.sum::<usize>()
        + record.moved.iter().map(|moved| event(&moved.event)).sum::<usize>()
}

/// Reads a payload that lies at `at`. Keys are copied; values share the payload's memory.
///
/// # Errors
/// Any bytes that [`encode`] does not make.
pub(crate) fn decode(payload: &Bytes, at: LogPoint) -> Result<(Record, Pieces), CodecError> {
    let mut from = Decoder { payload, next: 0, at };
    let mut record = Record::default();
    let mut pieces = Pieces::default();
    for _ in 0..from.count()? {
        let (event, position) = from.event()?;
        record.events.push(event);
        pieces.events.push(position);
    }
    for _ in 0..from.count()? {
        let (write, position) = from.table()?;
        record.tables.push(write);
        pieces.tables.push(position);
    }
    record.compact = from.optional()?;
    for _ in 0..from.count()? {
        let (event, position) = from.event()?;
        record.moved.push(Moved { event, superseded_at: from.optional()? });
        pieces.moved.push(position);
    }
    if from.next == payload.len() { Ok((record, pieces)) } else { Err(CodecError::Trailing) }
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    base: usize,
    segment: u64,
    offset: u32,
}

impl Encoder<'_> {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn optional(&mut self, revision: Option<i64>) {
        self.varint(revision.map_or(0, |revision| (revision as u64).saturating_add(1)));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn position(&self, length: usize) -> Position {
        // The appender has refused a record that is larger than a frame may be, so both fit 32 bits.
        let offset = self.offset + (self.out.len() - self.base) as u32;
        Position { segment: self.segment, offset, length: length as u32, crc: 0 }
    }

    fn piece(&mut self, piece: Option<&Bytes>) -> Position {
        let Some(bytes) = piece else { return self.position(0) };
        self.varint(bytes.len() as u64);
        let crc = crc32fast::hash(bytes);
        self.out.extend_from_slice(&crc.to_le_bytes());
        let position = Position { crc, ..self.position(bytes.len()) };
        self.out.extend_from_slice(bytes);
        position
    }

    fn event(&mut self, event: &Event) -> Position {
        let (kind, piece) = match &event.kind {
            EventKind::Put(kv) => (PUT, Some(kv)),
            EventKind::Delete => (DELETE, None),
        };
        self.out.push(kind);
        self.varint(event.revision.main as u64);
        self.varint(event.revision.sub as u64);
        self.bytes(&event.key);
        self.piece(piece)
    }

    fn table(&mut self, write: &TableWrite) -> Position {
        self.out.push(write.table as u8);
        self.out.push(u8::from(write.value.is_some()));
        self.bytes(&write.key);
        self.piece(write.value.as_ref())
    }
}

struct Decoder<'a> {
    payload: &'a Bytes,
    next: usize,
    at: LogPoint,
}

impl Decoder<'_> {
    fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self.payload.get(self.next).ok_or(CodecError::Truncated)?;
        self.next += 1;
        Ok(byte)
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CodecError::Overflow);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::Overflow)
    }

    fn revision(&mut self) -> Result<i64, CodecError> {
        i64::try_from(self.varint()?).map_err(|_| CodecError::Overflow)
    }

    fn optional(&mut self) -> Result<Option<i64>, CodecError> {
        match self.varint()? {
            0 => Ok(None),
            next => i64::try_from(next - 1).map(Some).map_err(|_| CodecError::Overflow),
        }
    }

    /// A count is not trusted: nothing is reserved for it, and each item takes at least a byte.
    fn count(&mut self) -> Result<u64, CodecError> {
        let count = self.varint()?;
        if count > self.payload.len() as u64 { Err(CodecError::Truncated) } else { Ok(count) }
    }

    fn slice(&mut self, length: u64) -> Result<std::ops::Range<usize>, CodecError> {
        let length = usize::try_from(length).map_err(|_| CodecError::Truncated)?;
        let end = self.next.checked_add(length).filter(|end| *end <= self.payload.len());
        let end = end.ok_or(CodecError::Truncated)?;
        let range = self.next..end;
        self.next = end;
        Ok(range)
    }

    fn key(&mut self) -> Result<Bytes, CodecError> {
        let length = self.varint()?;
        let range = self.slice(length)?;
        Ok(Bytes::copy_from_slice(self.payload.get(range).unwrap_or_default()))
    }

    fn position(&self, length: usize) -> Result<Position, CodecError> {
        let offset = u32::try_from(self.next - length).ok().and_then(|inside| self.at.offset.checked_add(inside));
        let length = u32::try_from(length).map_err(|_| CodecError::Overflow)?;
        Ok(Position { segment: self.at.segment, offset: offset.ok_or(CodecError::Overflow)?, length, crc: 0 })
    }

    fn piece(&mut self) -> Result<(Bytes, Position), CodecError> {
        let length = self.varint()?;
        let crc = self.slice(u64::from(PIECE_CRC_BYTES))?;
        let range = self.slice(length)?;
        let bytes = self.payload.slice(range);
        let hash = crc32fast::hash(&bytes);
        if self.payload.get(crc) != Some(&hash.to_le_bytes()[..]) {
            return Err(CodecError::Checksum);
        }
        let position = Position { crc: hash, ..self.position(bytes.len())? };
        Ok((bytes, position))
    }

    fn event(&mut self) -> Result<(Event, Position), CodecError> {
        let kind = self.byte()?;
        let revision = Revision { main: self.revision()?, sub: self.revision()? };
        let key = self.key()?;
        let (kind, position) = match kind {
            PUT => self.piece().map(|(kv, position)| (EventKind::Put(kv), position))?,
            DELETE => (EventKind::Delete, self.position(0)?),
            other => return Err(CodecError::UnknownKind(other)),
        };
        Ok((Event { key, revision, kind }, position))
    }

    fn table(&mut self) -> Result<(TableWrite, Position), CodecError> {
        let table = self.byte()?;
        let table = Table::from_byte(table).ok_or(CodecError::UnknownKind(table))?;
        let put = self.byte()?;
        let key = self.key()?;
        let (value, position) = match put {
            0 => (None, self.position(0)?),
            1 => self.piece().map(|(value, position)| (Some(value), position))?,
            other => return Err(CodecError::UnknownKind(other)),
        };
        Ok((TableWrite { table, key, value }, position))
    }
}

#[cfg(test)]
mod tests;
