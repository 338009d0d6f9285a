//! Every committed record in order, in words: what `archipel log dump` prints. One record is in memory at a time.

use super::damage::{Damage, NO_START};
use super::directory::Directory;
use super::error::InspectError;
use super::log_walk::{Item, walk};
use super::operation::Operation;
use super::origin::{Origin, Origins};
use crate::disk::{Disk, ReadOnlyDisk};
use crate::log::{Frame, FrameKind, LogPoint, Replayed, Torn};
use crate::sync::Arc;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::Path;

/// What a dump shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Dumped {
    /// A record.
    Record(DumpedRecord),
    /// A part of the log that is damaged.
    Damaged(Damage),
    /// The end of an unfinished batch, which the next start cuts.
    Torn(Torn),
}

/// One frame of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpedRecord {
    /// Where it begins.
    pub start: LogPoint,
    /// What it takes.
    pub bytes: u32,
    /// record, opened (the first frame after a start) or closed (the last one of an orderly stop).
    pub kind: &'static str,
    /// The main revisions of its events, first and last; None if it has none.
    pub revisions: Option<(i64, i64)>,
    /// Who made it.
    pub origin: Origin,
    /// What it does, in order.
    pub operations: Vec<Operation>,
}

/// Which records are shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpRange {
    /// Those with an event, or a moved version, of these main revisions. None = all, those without any, too.
    pub revisions: Option<RangeInclusive<i64>>,
    /// At most so many.
    pub limit: u64,
}

/// Shows the records of the log in a data directory that no process uses, oldest first, until the visitor breaks.
///
/// # Errors
/// The directory is in use, holds no log, or is of a newer version. Damage is shown at its place.
pub fn dump(
    data_dir: &Path,
    range: &DumpRange,
    visit: &mut dyn FnMut(Dumped) -> ControlFlow<()>,
) -> Result<(), InspectError> {
    let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk);
    let mut directory = Directory::open(&disk, data_dir)?;
    for damage in std::mem::take(&mut directory.damage) {
        if visit(Dumped::Damaged(damage)).is_break() {
            return Ok(());
        }
    }
    let from = range.revisions.as_ref().map_or(0, |revisions| *revisions.start());
    let oldest = directory.segments.first().map_or(0, |found| found.segment.header.sequence);
    let mut origins = Origins::new(oldest == 1 && from == 0);
    let mut left = range.limit;
    walk(&directory, from, &mut |_| (), &mut |item| {
        let shown = match item {
            Item::Frame(_) if left == 0 => return ControlFlow::Break(()),
            Item::Frame(frame) => match of_frame(&directory, frame, &mut origins) {
                Dumped::Record(record) if !range.has(&record) => return ControlFlow::Continue(()),
                shown => shown,
            },
            Item::Gap(gap) => {
                let LogPoint { segment, offset } = gap.start;
                let damage = Damage::new(directory.path(segment), segment, gap.what.clone(), VERIFY);
                Dumped::Damaged(damage.at(offset, gap.end - offset))
            }
            Item::Flipped(flip) => Dumped::Damaged(Damage::flipped(&directory.dir, flip)),
            Item::Torn(torn) => Dumped::Torn(torn),
            Item::End(_) => return ControlFlow::Continue(()),
        };
        left -= u64::from(matches!(shown, Dumped::Record(_)));
        visit(shown)
    });
    Ok(())
}

const VERIFY: &str = "archipel verify tells which keys need what lies there";

impl DumpRange {
    fn has(&self, record: &DumpedRecord) -> bool {
        let Some(revisions) = &self.revisions else { return true };
        let of_version = |operation: &Operation| operation.table.is_none() && operation.kind != "compact";
        let mut mains = record.operations.iter().filter(|operation| of_version(operation)).filter_map(|o| o.revision);
        mains.any(|(main, _)| revisions.contains(&main))
    }
}

fn of_frame(directory: &Directory, frame: &Frame, origins: &mut Origins) -> Dumped {
    let (start, bytes) = (frame.start, frame.end.offset - frame.start.offset);
    let without = |kind| DumpedRecord {
        start,
        bytes,
        kind,
        revisions: None,
        origin: Origin::Site { entries: Vec::new() },
        operations: Vec::new(),
    };
    match frame.header.kind {
        FrameKind::Opened => Dumped::Record(without("opened")),
        FrameKind::Closed => Dumped::Record(without("closed")),
        FrameKind::Record => match Replayed::decode(frame) {
            Ok(replayed) => {
                let mains = replayed.record.events.iter().map(|event| event.revision.main);
                let revisions = mains.clone().min().zip(mains.max());
                let origin = origins.of(&replayed.record);
                let operations = Operation::all(&replayed);
                Dumped::Record(DumpedRecord { revisions, origin, operations, ..without("record") })
            }
            Err(error) => {
                let damage = Damage::new(directory.path(start.segment), start.segment, error.to_string(), NO_START);
                Dumped::Damaged(damage.at(start.offset, bytes))
            }
        },
    }
}
