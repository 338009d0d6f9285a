//! Reads records back, segment by segment. Used by `recovery`.

use super::appender::Appended;
use super::codec;
use super::format::{FRAME_HEADER_BYTES, FrameKind, segment_name};
use super::open_error::OpenError;
use super::point::LogPoint;
use super::record::Record;
use super::segments::Segment;
use super::tail::Tail;
use super::walk::{Flip, Frame, Walk};
use std::path::Path;

/// A record as it lies in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Replayed {
    /// The record. Keys are copied; values share the memory of the record's frame.
    pub record: Record,
    /// Where it and its pieces lie.
    pub appended: Appended,
}

impl Replayed {
    pub(crate) fn decode(frame: &Frame) -> Result<Replayed, codec::CodecError> {
        let at = LogPoint { offset: frame.start.offset + FRAME_HEADER_BYTES, ..frame.start };
        let (record, pieces) = codec::decode(&frame.payload, at)?;
        Ok(Replayed { record, appended: Appended::new(frame.start, frame.end, pieces) })
    }
}

/// How far a replay is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes of segments that were read.
    pub done_bytes: u64,
    /// Bytes of segments that will be read.
    pub total_bytes: u64,
}

/// An unfinished batch that was cut. Nobody was told that it is durable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Torn {
    /// Where the log ends now.
    pub at: LogPoint,
    /// Bytes that were cut, as far as they can be told from what the file held before.
    pub bytes: u64,
}

/// What a replay found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplaySummary {
    /// Records that were visited.
    pub records: u64,
    /// Where the log ends.
    pub end: LogPoint,
    /// The newest main revision of what was visited and of the segments' headers; 0 for a new log.
    pub revision: i64,
    /// The newest compact revision of the same; 0 if none.
    pub compact_revision: i64,
    /// The unfinished batch that was cut, if there was one.
    pub torn: Option<Torn>,
    /// A bit of the last batch that flipped at rest and was turned back; [`Recovery::finish`](super::Recovery::finish)
    /// turns it on the disk, too.
    pub mended: Option<Flip>,
    /// The log was closed in an orderly way.
    pub closed: bool,
}

/// One replay under way.
pub(crate) struct Replay<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) from: LogPoint,
    /// Whether the start was found to be a place between two frames.
    pub(crate) edge_seen: bool,
    pub(crate) summary: ReplaySummary,
    pub(crate) progress: Progress,
}

impl Replay<'_> {
    /// Visits a segment's records; returns where its frames end. `ends_at` is what the next segment says, if there is one.
    pub(crate) fn segment(
        &mut self,
        segment: &Segment,
        ends_at: Option<u32>,
        progress: &mut dyn FnMut(Progress),
        visit: &mut dyn FnMut(Replayed),
    ) -> Result<Tail, OpenError> {
        let header = segment.header;
        self.summary.revision = self.summary.revision.max(header.revision);
        self.summary.compact_revision = self.summary.compact_revision.max(header.compact_revision);
        let path = self.dir.join(segment_name(header.sequence));
        let reading = |source| OpenError::Io { action: "reading", path: path.clone(), source };
        let damaged =
            |at: LogPoint, reason: String| OpenError::Damaged { path: path.clone(), offset: at.offset, reason };
        let mut walk = Walk::new(segment);
        let done_before = self.progress.done_bytes;
        loop {
            self.edge_seen |= walk.next() == self.from;
            if ends_at == Some(walk.next().offset) {
                break;
            }
            if walk.next() < self.from {
                if let Some(kind) = walk.pass().map_err(reading)? {
                    self.summary.closed = kind == FrameKind::Closed;
                    continue;
                }
            } else if let Some(frame) = walk.step().map_err(reading)? {
                self.frame(&frame, visit)?;
                self.progress.done_bytes = done_before + u64::from(walk.next().offset);
                progress(self.progress);
                continue;
            }
            // Once: two of them are no accident.
            let mends = ends_at.is_none() && self.summary.mended.is_none();
            if !mends || walk.rest(header.recycled).map_err(reading)?.proof.is_some() {
                break;
            }
            self.summary.mended = walk.mend().map_err(reading)?;
            if self.summary.mended.is_none() {
                break;
            }
        }
        let end = walk.next();
        match ends_at {
            Some(ends_at) if ends_at != end.offset => {
                return Err(damaged(
                    end,
                    format!("no valid record follows, but the next segment says that they end at {ends_at}"),
                ));
            }
            Some(_) => {}
            None => {
                let rest = walk.rest(header.recycled).map_err(reading)?;
                if let Some(proof) = rest.proof {
                    return Err(damaged(
                        end,
                        format!("no valid record follows, but the one at offset {} does", proof.offset),
                    ));
                }
                self.summary.torn = (rest.torn_bytes > 0).then_some(Torn { at: end, bytes: rest.torn_bytes });
            }
        }
        self.progress.done_bytes = done_before + u64::from(header.capacity);
        progress(self.progress);
        self.summary.end = end;
        Ok(walk.tail())
    }

    fn frame(&mut self, frame: &Frame, visit: &mut dyn FnMut(Replayed)) -> Result<(), OpenError> {
        self.summary.closed = frame.header.kind == FrameKind::Closed;
        if frame.header.kind != FrameKind::Record {
            return Ok(());
        }
        let replayed = Replayed::decode(frame).map_err(|source| OpenError::Record { at: frame.start, source })?;
        let revisions = replayed.record.events.iter().map(|event| event.revision.main);
        self.summary.revision = revisions.fold(self.summary.revision, i64::max);
        self.summary.compact_revision = self.summary.compact_revision.max(replayed.record.compact.unwrap_or_default());
        self.summary.records += 1;
        visit(replayed);
        Ok(())
    }
}
