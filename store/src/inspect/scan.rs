//! Walks the frames of one segment and goes on behind damage.

use crate::log::{Flip, Frame, FrameKind, LogPoint, Position, SEGMENT_HEADER_BYTES, Segment, Walk};
use std::io;

/// What a step found.
#[derive(Debug)]
pub(super) enum Step {
    /// A frame whose checksum is right.
    Frame(Frame),
    /// A part that is no frame.
    Damaged(Gap),
    /// A bit of the last record has flipped; the record follows as it was.
    Flipped(Flip),
    /// The frames end here. `torn_bytes`: of an unfinished batch behind it.
    End {
        /// 0 = nothing unfinished follows.
        torn_bytes: u64,
    },
}

/// A damaged part of a segment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Gap {
    pub(super) start: LogPoint,
    /// Where the next whole frame begins, or the segment's frames end.
    pub(super) end: u32,
    /// Its header is whole: only what the frame holds is damaged.
    pub(super) framed: bool,
    pub(super) what: String,
}

impl Gap {
    /// Whether a piece lies in it.
    pub(super) fn holds(&self, at: Position) -> bool {
        at.segment == self.start.segment && (self.start.offset..self.end).contains(&at.offset)
    }
}

/// One scan under way.
#[derive(Debug)]
pub(super) struct Scan {
    walk: Walk,
    recycled: bool,
    /// Where the frames end, as the next segment says; None for the newest segment.
    ends_at: Option<u32>,
    capacity: u32,
    /// The first frame has to be found yet.
    headless: bool,
    mended: bool,
}

impl Scan {
    /// From the segment's first frame.
    pub(super) fn new(segment: &Segment, ends_at: Option<u32>) -> Scan {
        Scan::of_walk(Walk::new(segment), segment, ends_at)
    }

    /// Of a segment whose header is unreadable.
    pub(super) fn headless(segment: &Segment, ends_at: Option<u32>) -> Scan {
        Scan { headless: true, ..Scan::new(segment, ends_at) }
    }

    /// From where an earlier scan was.
    pub(super) fn resumed(segment: &Segment, ends_at: u32, next: LogPoint, generation: u32) -> Scan {
        Scan::of_walk(Walk::resumed(segment, next, generation), segment, Some(ends_at))
    }

    fn of_walk(walk: Walk, segment: &Segment, ends_at: Option<u32>) -> Scan {
        let capacity = segment.header.capacity;
        Scan {
            walk,
            recycled: segment.header.recycled,
            ends_at: ends_at.map(|end| end.min(capacity)),
            capacity,
            headless: false,
            mended: false,
        }
    }

    /// Where the next frame would begin, and of which generation.
    pub(super) fn place(&self) -> (LogPoint, u32) {
        (self.walk.next(), self.walk.tail().generation)
    }

    /// The next thing that lies in the segment. A disk that refuses is damage up to the segment's end.
    pub(super) fn step(&mut self) -> Step {
        let start = self.walk.next();
        let limit = self.ends_at.unwrap_or(self.capacity);
        match self.try_step(start, limit) {
            Ok(step) => step,
            Err(error) => {
                self.ends_at = Some(start.offset);
                Step::Damaged(Gap { start, end: limit, framed: false, what: format!("it cannot be read: {error}") })
            }
        }
    }

    fn try_step(&mut self, start: LogPoint, limit: u32) -> io::Result<Step> {
        if std::mem::take(&mut self.headless) {
            self.walk.seek(limit)?;
        }
        if self.ends_at.is_some_and(|end| start.offset >= end) {
            return Ok(Step::End { torn_bytes: 0 });
        }
        if let Some(frame) = self.walk.step()? {
            return Ok(Step::Frame(frame));
        }
        if self.ends_at.is_none() {
            let rest = self.walk.rest(self.recycled)?;
            if rest.proof.is_none() {
                // As a start does it: once, as two of them are no accident.
                if !self.mended
                    && let Some(flip) = self.walk.mend()?
                {
                    self.mended = true;
                    return Ok(Step::Flipped(flip));
                }
                return Ok(Step::End { torn_bytes: rest.torn_bytes });
            }
        }
        let (framed, what) = match self.walk.pass()? {
            Some(FrameKind::Record) => (true, "a record's checksum is wrong"),
            Some(FrameKind::Opened | FrameKind::Closed) => (true, "a frame's checksum is wrong"),
            None => {
                self.walk.seek(limit)?;
                (false, "no frame begins here")
            }
        };
        let end = self.walk.next().offset.min(limit);
        Ok(Step::Damaged(Gap { start, end, framed, what: what.into() }))
    }
}

/// Where the first frame of a segment begins.
pub(super) fn first_frame(segment: u64) -> LogPoint {
    LogPoint { segment, offset: SEGMENT_HEADER_BYTES }
}
