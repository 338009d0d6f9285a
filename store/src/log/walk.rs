//! Walks the frames of one segment. Used by `replay` and `cleaning`.

use super::flipped;
use super::format::{
    FRAME_ALIGNMENT, FRAME_HEADER_BYTES, FrameHeader, FrameKind, SEGMENT_HEADER_BYTES, SegmentHeader, align, frame_crc,
};
use super::point::LogPoint;
use super::segments::Segment;
use super::tail::Tail;
use crate::disk::DiskFile;
use crate::limits::SEGMENT_CHUNK_BYTES;
use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// A frame whose checksums are right.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) header: FrameHeader,
    pub(crate) payload: Bytes,
    pub(crate) start: LogPoint,
    pub(crate) end: LogPoint,
}

/// What a part of the file holds, read in chunks.
#[derive(Debug)]
struct Window {
    file: Arc<dyn DiskFile>,
    capacity: u32,
    start: u32,
    bytes: Vec<u8>,
}

impl Window {
    /// The bytes at the offset, or None if the file ends before.
    fn get(&mut self, offset: u32, length: u32) -> io::Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(length).filter(|end| *end <= self.capacity) else { return Ok(None) };
        if offset < self.start || u64::from(end) > u64::from(self.start) + self.bytes.len() as u64 {
            // Ends where a frame may begin, so that the search in the rest keeps to such places.
            let step = (length as usize).next_multiple_of(FRAME_ALIGNMENT as usize).max(SEGMENT_CHUNK_BYTES);
            let step = step.min((self.capacity - offset) as usize);
            self.bytes.resize(step, 0);
            self.start = offset;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, u64::from(offset)) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = (offset - self.start) as usize;
        Ok(self.bytes.get(from..from + length as usize))
    }

    /// Turns a bit of what was read.
    fn turn(&mut self, offset: u32, bit: u8) {
        if let Some(byte) = offset.checked_sub(self.start).and_then(|at| self.bytes.get_mut(at as usize)) {
            *byte ^= 1 << bit;
        }
    }
}

/// A bit that is not as it was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flip {
    /// Its byte.
    pub at: LogPoint,
    /// Which bit of it, from the lowest.
    pub bit: u8,
}

/// Walks a segment's frames from its header on.
#[derive(Debug)]
pub(crate) struct Walk {
    window: Window,
    log_id: u64,
    next: LogPoint,
    generation: u32,
    batch_begin: u32,
}

/// What lies where the walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rest {
    /// Bytes of the unfinished batch that could be told from what was there before.
    pub(crate) torn_bytes: u64,
    /// A whole frame that proves that what lies before it was durable once.
    pub(crate) proof: Option<LogPoint>,
}

impl Walk {
    pub(crate) fn new(segment: &Segment) -> Walk {
        let header = segment.header;
        Walk::of_file(&segment.file, header)
    }

    /// For a file whose own header is not there; `header` is what it would say. Its generation is the lowest that the
    /// frames may have.
    pub(crate) fn of_file(file: &Arc<dyn DiskFile>, header: SegmentHeader) -> Walk {
        let window = Window { file: Arc::clone(file), capacity: header.capacity, start: 0, bytes: Vec::new() };
        let next = LogPoint { segment: header.sequence, offset: SEGMENT_HEADER_BYTES };
        let batch_begin = next.offset;
        Walk { window, log_id: header.log_id, next, generation: header.generation, batch_begin }
    }

    /// Goes on where an earlier walk of the segment was.
    pub(crate) fn resumed(segment: &Segment, next: LogPoint, generation: u32) -> Walk {
        Walk { next, generation, ..Walk::new(segment) }
    }

    /// Goes to the next whole frame before `limit`, whatever lies between, or to `limit` itself: behind damage.
    pub(crate) fn seek(&mut self, limit: u32) -> io::Result<()> {
        let mut at = self.next.offset;
        while at < limit {
            let Some(step) = self.skip_zeros(at)? else { break };
            at += step;
            if at >= limit {
                break;
            }
            let point = LogPoint { offset: at, ..self.next };
            if let Some(frame) = self.frame_at(point)? {
                (self.next, self.generation) = (point, frame.header.generation);
                return Ok(());
            }
            at += FRAME_ALIGNMENT;
        }
        self.next.offset = limit;
        Ok(())
    }

    /// Where the next frame would begin.
    pub(crate) fn next(&self) -> LogPoint {
        self.next
    }

    /// Of the last frame.
    pub(crate) fn tail(&self) -> Tail {
        Tail { generation: self.generation, batch_begin: self.batch_begin }
    }

    /// The next frame, or None if what follows does not continue the log.
    pub(crate) fn step(&mut self) -> io::Result<Option<Frame>> {
        let Some(frame) = self.frame_at(self.next)? else { return Ok(None) };
        if !self.continues(&frame.header) {
            return Ok(None);
        }
        self.generation = frame.header.generation;
        self.batch_begin = frame.header.batch_begin;
        self.next = frame.end;
        Ok(Some(frame))
    }

    /// Passes over the next frame by its header alone: for what is known to be durable and is not needed.
    pub(crate) fn pass(&mut self) -> io::Result<Option<FrameKind>> {
        let start = self.next;
        let header = self.window.get(start.offset, FRAME_HEADER_BYTES)?.and_then(FrameHeader::decode);
        let Some(header) = header.filter(|header| self.continues(header)) else { return Ok(None) };
        let end = align(u64::from(start.offset) + u64::from(FRAME_HEADER_BYTES) + u64::from(header.length));
        if end > u64::from(self.window.capacity) {
            return Ok(None);
        }
        self.generation = header.generation;
        self.batch_begin = header.batch_begin;
        self.next = LogPoint { offset: end as u32, ..start };
        Ok(Some(header.kind))
    }

    /// Whether a frame that lies where the next one is expected continues the log.
    fn continues(&self, header: &FrameHeader) -> bool {
        let in_order = match header.kind {
            FrameKind::Opened => header.generation >= self.generation,
            FrameKind::Record | FrameKind::Closed => header.generation == self.generation,
        };
        in_order && header.batch_begin <= self.next.offset
    }

    /// Looks at everything behind the end: is it the rest of one unfinished batch, or damage in the middle of the log?
    /// `not_zeroed`: the file was used before, so that bytes that are not zero say nothing by themselves.
    pub(crate) fn rest(&mut self, not_zeroed: bool) -> io::Result<Rest> {
        let end = self.next;
        let mut rest = Rest { torn_bytes: 0, proof: None };
        let mut torn_end = end.offset;
        let mut at = end.offset;
        while let Some(step) = self.skip_zeros(at)? {
            at += step;
            let point = LogPoint { offset: at, ..end };
            let header = self.window.get(at, FRAME_HEADER_BYTES)?.and_then(FrameHeader::decode);
            let newer = header.filter(|header| header.generation >= self.generation);
            // The header alone is no proof: a value may hold any bytes, a whole frame at its place only by intent.
            if newer.is_some_and(|header| header.batch_begin > end.offset) && self.frame_at(point)?.is_some() {
                rest.proof = Some(point);
                return Ok(rest);
            }
            match newer {
                Some(header) => {
                    let frame_end = align(u64::from(at) + u64::from(FRAME_HEADER_BYTES) + u64::from(header.length));
                    torn_end = torn_end.max(frame_end.min(u64::from(self.window.capacity)) as u32);
                }
                None if !not_zeroed => torn_end = torn_end.max(at + FRAME_ALIGNMENT),
                None => {}
            }
            at += FRAME_ALIGNMENT;
        }
        rest.torn_bytes = u64::from(torn_end - end.offset);
        Ok(rest)
    }

    /// If the walk ended at a record that is whole but for one bit, turns that bit, here and not on the disk: the walk goes on.
    /// Says where the bit is.
    pub(crate) fn mend(&mut self) -> io::Result<Option<Flip>> {
        let start = self.next;
        let Some(head) = self.window.get(start.offset, FRAME_HEADER_BYTES)? else { return Ok(None) };
        let Some((header, head, in_head)) = flipped::frame_header(head) else { return Ok(None) };
        if header.kind != FrameKind::Record || !self.continues(&header) {
            return Ok(None);
        }
        let bytes = FRAME_HEADER_BYTES.saturating_add(header.length);
        let Some(frame) = self.window.get(start.offset, bytes)? else { return Ok(None) };
        let (Some(middle), Some(payload)) = (head.get(4..20), frame.get(head.len()..)) else { return Ok(None) };
        let difference = frame_crc(self.log_id, start, middle, payload) ^ header.crc;
        let found = match in_head {
            Some(bit) => (difference == 0).then_some(bit),
            None => flipped::bit_in_frame(difference, payload.len()),
        };
        let Some(found) = found.filter(|found| !flipped::may_be_torn(frame, start.offset, found.byte)) else {
            return Ok(None);
        };
        let at = LogPoint { offset: start.offset + found.byte as u32, ..start };
        self.window.turn(at.offset, found.bit);
        Ok(Some(Flip { at, bit: found.bit }))
    }

    /// How many bytes of zeros begin at the offset, in steps of a frame's alignment; None if all are to the end.
    fn skip_zeros(&mut self, from: u32) -> io::Result<Option<u32>> {
        let mut at = from;
        while at < self.window.capacity {
            let length = (self.window.capacity - at).min(SEGMENT_CHUNK_BYTES as u32);
            let in_window = self.window.start + self.window.bytes.len() as u32;
            let length = if at >= self.window.start && at < in_window { length.min(in_window - at) } else { length };
            let Some(bytes) = self.window.get(at, length)? else { return Ok(None) };
            if let Some(first) = first_non_zero(bytes) {
                return Ok(Some(at - from + first as u32 / FRAME_ALIGNMENT * FRAME_ALIGNMENT));
            }
            at += length;
        }
        Ok(None)
    }

    /// The frame at a place, if there is a whole one, of any generation.
    fn frame_at(&mut self, start: LogPoint) -> io::Result<Option<Frame>> {
        let Some(bytes) = self.window.get(start.offset, FRAME_HEADER_BYTES)? else { return Ok(None) };
        let Some(head) = bytes.first_chunk::<{ FRAME_HEADER_BYTES as usize }>().copied() else { return Ok(None) };
        let Some(header) = FrameHeader::decode(&head) else { return Ok(None) };
        if header.generation < self.generation {
            return Ok(None);
        }
        let Some(payload) = self.window.get(start.offset + FRAME_HEADER_BYTES, header.length)? else {
            return Ok(None);
        };
        if !header.matches(self.log_id, start, &head, payload) {
            return Ok(None);
        }
        let payload = Bytes::copy_from_slice(payload);
        let end = align(u64::from(start.offset) + u64::from(FRAME_HEADER_BYTES) + u64::from(header.length));
        Ok(Some(Frame { header, payload, start, end: LogPoint { offset: end as u32, ..start } }))
    }
}

/// Where the first byte is that is not zero. By blocks, which the compiler turns into a few instructions each: most of a
/// segment's rest is zeros.
fn first_non_zero(bytes: &[u8]) -> Option<usize> {
    let block = bytes.chunks(ZEROS_BLOCK_BYTES).position(|block| block.iter().fold(0, |all, byte| all | byte) != 0)?;
    let start = block * ZEROS_BLOCK_BYTES;
    let inside = bytes.get(start..)?.iter().position(|byte| *byte != 0)?;
    Some(start + inside)
}

const ZEROS_BLOCK_BYTES: usize = 256;
