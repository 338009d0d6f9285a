//! Puts records into frames in memory. Comes from `sequencer` (under its lock), goes to `syncer`.

use super::codec::{self, Pieces};
use super::failure::{Failure, Fatal};
use super::format::{
    FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, align, frame_bytes,
};
use super::options::Options;
use super::point::LogPoint;
use super::record::{Position, Record};
use super::segments::{SegmentInfo, Segments};
use crate::limits::FRAME_PAYLOAD_BYTES_MAX;
use std::sync::Arc;
use thiserror::Error;

/// An oversized segment's file is a multiple of this.
const PAGE_BYTES: u64 = 4096;

/// Room that a batch gets before its size is known at most.
const BATCH_ROOM_BYTES_MAX: usize = 1 << 20;

/// Why a record was not appended. Nothing of it was.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The record does not fit a frame.
    #[error("a change of {bytes} bytes is larger than the log takes at once ({max}); split it")]
    TooLarge {
        /// What the record would take.
        bytes: u64,
        /// What a frame takes.
        max: u32,
    },
    /// The log failed earlier.
    #[error(transparent)]
    Stopped(#[from] Fatal),
}

/// Where a record lies in the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Appended {
    /// Where its frame begins.
    pub start: LogPoint,
    /// Where its frame ends, and the next one begins: a checkpoint that has this record resumes here.
    pub end: LogPoint,
    /// For each event, where its encoded `KeyValue` lies. A tombstone has length 0 and a place of its own.
    pub events: Vec<Position>,
    /// For each table write, where its value lies. A deleted row has length 0 and a place of its own.
    pub tables: Vec<Position>,
    /// For each moved version, where its encoded `KeyValue` lies now.
    pub moved: Vec<Position>,
}

impl Appended {
    pub(crate) fn new(start: LogPoint, end: LogPoint, pieces: Pieces) -> Appended {
        Appended { start, end, events: pieces.events, tables: pieces.tables, moved: pieces.moved }
    }
}

/// Frames that were appended and are not written yet. Written whole by [`Syncer::write`](super::Syncer::write), in the
/// order in which batches were taken.
#[derive(Debug)]
pub struct Batch {
    pub(crate) runs: Vec<Run>,
    end: LogPoint,
}

impl Batch {
    /// The log's end once this batch is durable.
    pub fn end(&self) -> LogPoint {
        self.end
    }

    /// Whether it begins a segment.
    pub(crate) fn begins_segment(&self) -> bool {
        self.runs.iter().any(|run| run.header.is_some())
    }

    /// Bytes that will be written.
    pub fn bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes.len()).sum()
    }
}

/// Contiguous bytes of one segment.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) at: LogPoint,
    /// Set if the run begins a new segment; its first bytes are kept free for the header.
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) bytes: Vec<u8>,
}

/// The only one that decides where a record lies. Owned by the sequencer, under its lock; does no I/O.
#[derive(Debug)]
pub struct Appender {
    options: Options,
    failure: Failure,
    segments: Arc<Segments>,
    log_id: u64,
    end: LogPoint,
    capacity: u32,
    generation: u32,
    /// Where the batch that is being filled begins in the current segment; the segment's end if it is empty.
    batch_begin: u32,
    runs: Vec<Run>,
    /// Bytes of the largest of the last batches: room that the next one gets at once, so that it need not grow.
    usual_bytes: usize,
    revision: i64,
    compact_revision: i64,
}

/// Where an appender goes on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AppendState {
    pub(crate) log_id: u64,
    /// Segment 0 if the log is new: the first frame then rolls to segment 1.
    pub(crate) end: LogPoint,
    pub(crate) capacity: u32,
    pub(crate) generation: u32,
    pub(crate) revision: i64,
    pub(crate) compact_revision: i64,
}

impl Appender {
    pub(crate) fn new(segments: &Arc<Segments>, state: AppendState) -> Appender {
        Appender {
            options: segments.options.clone(),
            failure: segments.failure.clone(),
            segments: Arc::clone(segments),
            log_id: state.log_id,
            end: state.end,
            capacity: state.capacity,
            generation: state.generation,
            batch_begin: state.end.offset,
            runs: Vec::new(),
            usual_bytes: 0,
            revision: state.revision,
            compact_revision: state.compact_revision,
        }
    }

    /// Appends a record to the batch in memory. It is durable once the batch that holds it is written.
    ///
    /// # Errors
    /// The record is larger than a frame may be, or the log failed earlier. Nothing was appended.
    pub fn append(&mut self, record: &Record) -> Result<Appended, AppendError> {
        self.failure.check()?;
        let bytes = codec::encoded_len_max(record) as u64;
        if bytes > u64::from(FRAME_PAYLOAD_BYTES_MAX) {
            return Err(AppendError::TooLarge { bytes, max: FRAME_PAYLOAD_BYTES_MAX });
        }
        let mains = record.events.iter().map(|event| event.revision.main);
        let revision = mains.fold(self.revision, i64::max);
        let compact_revision = record.compact.unwrap_or_default().max(self.compact_revision);
        let appended = self.frame(FrameKind::Record, bytes, |at, out| codec::encode(record, at, out));
        // After the frame: a header describes the store before the segment's first record.
        self.revision = revision;
        self.compact_revision = compact_revision;
        Ok(appended)
    }

    /// Appends the mark of an orderly stop. Take and write it as a batch of its own, after the last one: then damage to
    /// the last records is told from a torn tail at the next start.
    pub fn append_closed(&mut self) {
        self.frame(FrameKind::Closed, 0, |_, _| Pieces::default());
    }

    pub(crate) fn append_opened(&mut self) {
        self.frame(FrameKind::Opened, 0, |_, _| Pieces::default());
    }

    /// Takes what was appended since the last call; None if nothing was. Batches must be written in this order, each
    /// only after the one before is durable.
    pub fn take_batch(&mut self) -> Option<Batch> {
        if self.runs.is_empty() {
            return None;
        }
        self.batch_begin = self.end.offset;
        // One large batch is forgotten after a few small ones.
        self.usual_bytes = self.pending_bytes().max(self.usual_bytes - self.usual_bytes / 8).min(BATCH_ROOM_BYTES_MAX);
        Some(Batch { runs: std::mem::take(&mut self.runs), end: self.end })
    }

    /// Bytes in the batch that is being filled.
    pub fn pending_bytes(&self) -> usize {
        self.runs.iter().map(|run| run.bytes.len()).sum()
    }

    /// What a segment's file takes, once the log is large enough for whole ones.
    pub(crate) fn segment_bytes(&self) -> u32 {
        self.options.segment_bytes
    }

    /// The segments that are written, oldest first; the newest one's end is the batch's, unless the batch goes beyond it.
    pub(crate) fn segments(&self) -> Vec<SegmentInfo> {
        self.segments.infos(self.end.offset)
    }

    /// Where the next frame begins, durable or not.
    pub fn end(&self) -> LogPoint {
        self.end
    }

    /// Why the store may not grow: the disk refused the next segment, or is nearly full. While it is set, refuse what grows
    /// the store: a roll that finds no segment stops the log for good.
    pub fn space_error(&self) -> Option<String> {
        self.segments.space_error()
    }

    fn frame(
        &mut self,
        kind: FrameKind,
        payload_max: u64,
        encode: impl FnOnce(LogPoint, &mut Vec<u8>) -> Pieces,
    ) -> Appended {
        let needed = frame_bytes(payload_max as usize);
        if u64::from(self.end.offset) + needed > u64::from(self.capacity) {
            self.roll(needed);
        }
        let start = self.end;
        if self.runs.is_empty() {
            self.runs.push(Run { at: start, header: None, bytes: Vec::with_capacity(self.usual_bytes) });
        }
        let out = &mut self.runs.last_mut().expect("invariant: pushed above").bytes;
        let base = out.len();
        out.reserve(needed as usize);
        out.resize(base + FRAME_HEADER_BYTES as usize, 0);
        let pieces = encode(LogPoint { offset: start.offset + FRAME_HEADER_BYTES, ..start }, out);
        let (head, payload) = out.split_at_mut(base + FRAME_HEADER_BYTES as usize);
        let header = FrameHeader {
            crc: 0,
            length: payload.len() as u32,
            generation: self.generation,
            batch_begin: self.batch_begin,
            kind,
        };
        let header = header.encode(self.log_id, start, payload);
        for (slot, byte) in head.iter_mut().skip(base).zip(header) {
            *slot = byte;
        }
        out.resize(base + align((out.len() - base) as u64) as usize, 0);
        self.end.offset += (out.len() - base) as u32;
        Appended::new(start, self.end, pieces)
    }

    /// Ends the current segment here and begins the next. A frame never spans segments.
    fn roll(&mut self, needed: u64) {
        let sequence = self.end.segment + 1;
        let oversized = (u64::from(SEGMENT_HEADER_BYTES) + needed).next_multiple_of(PAGE_BYTES);
        let regular = self.options.capacity_of(sequence);
        // A frame is at most 32 MiB, so an oversized segment fits 32 bits.
        self.capacity = if oversized > u64::from(regular) { oversized as u32 } else { regular };
        self.generation += 1;
        let header = SegmentHeader {
            recycled: false,
            log_id: self.log_id,
            sequence,
            revision: self.revision,
            compact_revision: self.compact_revision,
            generation: self.generation,
            previous_end: self.end.offset,
            capacity: self.capacity,
        };
        let at = LogPoint { segment: sequence, offset: 0 };
        self.runs.push(Run { at, header: Some(header), bytes: vec![0; SEGMENT_HEADER_BYTES as usize] });
        self.end = LogPoint { segment: sequence, offset: SEGMENT_HEADER_BYTES };
        self.batch_begin = SEGMENT_HEADER_BYTES;
    }
}
