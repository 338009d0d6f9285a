//! Offline verification: every frame of the log is read and checked, and what the index says is compared with what the
//! log says. Nothing is repaired, and nothing is written to the directory.

use super::compare::differences;
use super::content::Content;
use super::damage::{Damage, NO_START, REPORT, RESTORE, SPARE};
use super::directory::Directory;
use super::error::InspectError;
use super::index_copy::IndexCopy;
use super::log_walk::{Item, walk};
use super::scan::Gap;
use crate::disk::{Disk, ReadOnlyDisk};
use crate::index::{IndexState, Marker, Row};
use crate::limits::DAMAGE_TOLD_MAX;
use crate::log::{Frame, FrameKind, LogPoint, Progress, Reader, Replayed, Torn};
use crate::recovery::Gathered;
use crate::revision::Revision;
use crate::sync::Arc;
use std::ops::ControlFlow;
use std::path::Path;

/// What was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verification {
    /// Segments of the log.
    pub segments: u64,
    /// Bytes of their files.
    pub log_bytes: u64,
    /// Records that were read.
    pub records: u64,
    /// Versions and tombstones that are kept.
    pub versions: u64,
    /// Live keys.
    pub keys: u64,
    /// Rows of the site's tables.
    pub rows: u64,
    /// The newest revision.
    pub revision: i64,
    /// The compact revision; -1 = nothing compacted.
    pub compact_revision: i64,
    /// The end of an unfinished batch, which the next start cuts: nobody was told that it is durable.
    pub torn: Option<Torn>,
    /// Whether the site was stopped in an orderly way.
    pub closed: bool,
    /// Hash of everything that is kept, as the log says it.
    pub digest: u64,
    /// What is wrong with the log, in its order.
    pub damage: Vec<Damage>,
    /// More of it.
    pub damage_more: u64,
    /// The index.
    pub index: IndexFinding,
}

/// What became of the comparison of the index with the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum IndexFinding {
    /// There is none yet. The next start reads the whole log.
    #[default]
    Absent,
    /// It was not compared, because the log is damaged.
    NotCompared,
    /// It holds the log up to this point, and with the log's tail it says the same, by this digest.
    Agrees(LogPoint, u64),
    /// It cannot be used; the next start rebuilds it from the log, and nothing is lost.
    Unusable(String),
    /// It opens and says something else than the log.
    Differs {
        /// In which ways.
        differences: Vec<String>,
        /// How many more.
        more: u64,
    },
}

impl Verification {
    /// Whether nothing is wrong. A torn tail is nothing wrong; an index that has to be rebuilt is.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty() && matches!(self.index, IndexFinding::Absent | IndexFinding::Agrees(..))
    }
}

/// Verifies the store in a data directory that no process uses. Takes memory for every key twice; reads each frame once.
///
/// # Errors
/// The directory is in use, holds no log, or is of a newer version. Damage inside is a finding, no error.
pub fn verify(data_dir: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Verification, InspectError> {
    let disk: Arc<dyn Disk> = Arc::new(ReadOnlyDisk);
    let mut directory = Directory::open(&disk, data_dir)?;
    let mut index = Gathered::default();
    let copy = IndexCopy::of(data_dir)?;
    let loaded = copy.map(|copy| {
        copy.load(&mut |row| match row {
            Row::Marker(_) => {}
            row => index.indexed(row),
        })
    });
    let marker = match &loaded {
        Some(IndexState::Ready(marker)) if !Marker::is_unreachable(marker.point) => Some(*marker),
        _ => None,
    };
    let torn = directory.torn;
    let mut verifying = Verifying { point: marker.map(|marker| marker.point), torn, ..Verifying::default() };
    verifying.damage.append(&mut directory.damage);
    for found in &directory.segments {
        verifying.revision = verifying.revision.max(found.segment.header.revision);
        verifying.compact_revision = verifying.compact_revision.max(found.segment.header.compact_revision);
    }
    walk(&directory, 0, progress, &mut |item| {
        verifying.see(&directory, &item);
        ControlFlow::Continue(())
    });
    Ok(verifying.conclude(&directory, index, marker, loaded))
}

/// A verification under way.
#[derive(Debug, Default)]
struct Verifying {
    truth: Gathered,
    /// Of what `truth` holds, what lies behind the index's point.
    tail: Gathered,
    point: Option<LogPoint>,
    /// Whether the point was seen to be a place between two frames.
    edge_seen: bool,
    last: Revision,
    last_compact: i64,
    revision: i64,
    compact_revision: i64,
    records: u64,
    end: LogPoint,
    closed: bool,
    torn: Option<Torn>,
    damage: Vec<Damage>,
    gaps: Vec<Gap>,
}

impl Verifying {
    fn see(&mut self, directory: &Directory, item: &Item<'_>) {
        match item {
            Item::Frame(frame) => self.frame(directory, frame),
            Item::Gap(gap) => self.gaps.push((*gap).clone()),
            Item::Flipped(flip) => self.damage.push(Damage::flipped(&directory.dir, *flip)),
            Item::Torn(torn) => (self.torn, self.end) = (Some(*torn), torn.at),
            Item::End(end) => self.end = *end,
        }
    }

    fn frame(&mut self, directory: &Directory, frame: &Frame) {
        self.edge_seen |= self.point == Some(frame.start) || self.point == Some(frame.end);
        self.closed = frame.header.kind == FrameKind::Closed;
        if frame.header.kind != FrameKind::Record {
            return;
        }
        self.records += 1;
        if let Err((what, remedy)) = self.record(frame) {
            let path = directory.path(frame.start.segment);
            let bytes = frame.end.offset - frame.start.offset;
            self.damage.push(Damage::new(path, frame.start.segment, what, remedy).at(frame.start.offset, bytes));
        }
    }

    fn record(&mut self, frame: &Frame) -> Result<(), (String, &'static str)> {
        let replayed = Replayed::decode(frame).map_err(|error| (error.to_string(), NO_START))?;
        let mut in_order = Ok(());
        for event in &replayed.record.events {
            if event.revision <= self.last {
                let (is, was) = (event.revision.main, self.last.main);
                in_order = Err((format!("an event of revision {is} comes after one of {was}"), REPORT));
            }
            self.last = self.last.max(event.revision);
        }
        self.revision = self.revision.max(self.last.main);
        if let Some(compact) = replayed.record.compact {
            if compact < self.last_compact {
                in_order = Err((format!("a compaction at {compact} comes after one at {}", self.last_compact), REPORT));
            }
            self.last_compact = compact;
            self.compact_revision = self.compact_revision.max(compact);
        }
        let in_tail = self.point.is_some_and(|point| frame.start >= point);
        let rows: Vec<_> = replayed.record.tables.iter().map(|write| (write.table, write.key.clone())).collect();
        let before = self.truth.versions.len();
        self.truth.replayed(replayed).map_err(|error| (error.to_string(), NO_START))?;
        // The dirty keys and rows are for a checkpoint, which nobody makes.
        self.truth.forget_dirty();
        if in_tail {
            self.tail.versions.extend(self.truth.versions.iter().skip(before).cloned());
            self.tail
                .rows
                .extend(rows.into_iter().filter_map(|at| Some((at.clone(), self.truth.rows.get(&at)?.clone()))));
        }
        in_order
    }

    fn conclude(
        mut self,
        directory: &Directory,
        index: Gathered,
        marker: Option<Marker>,
        loaded: Option<IndexState>,
    ) -> Verification {
        let reader = directory.reader();
        let revision = self.revision.max(self.compact_revision).max(Revision::EMPTY_STORE);
        let truth = Content::new(std::mem::take(&mut self.truth), self.compact_revision, &reader);
        let said = marker.map(|marker| {
            let gathered = index.followed_by(std::mem::take(&mut self.tail));
            Content::new(gathered, marker.compact_revision.max(self.compact_revision), &reader)
        });
        self.tell_gaps(directory, said.as_ref(), &reader);
        if let Some(point) = self.point.filter(|point| *point > self.end) {
            let what = format!("the log ends at {}, but the index knows it up to {point}", self.end);
            self.damage.push(
                Damage::new(directory.path(self.end.segment), self.end.segment, what, NO_START).at(self.end.offset, 0),
            );
        }
        if self.damage.is_empty()
            && let Some(gap) = truth.revision_gap(revision, self.compact_revision)
        {
            self.damage.push(Damage::new(directory.dir.clone(), 0, gap, REPORT));
        }
        let index = self.judge_index(&truth, said.as_ref(), loaded, &reader);
        self.damage.sort_by_key(|damage| (damage.segment, damage.offset));
        let damage_more = self.damage.len().saturating_sub(DAMAGE_TOLD_MAX) as u64;
        self.damage.truncate(DAMAGE_TOLD_MAX);
        Verification {
            segments: directory.segments.len() as u64,
            log_bytes: directory.file_bytes(),
            records: self.records,
            versions: truth.versions.len() as u64,
            keys: truth.keys(),
            rows: truth.rows.len() as u64,
            revision,
            compact_revision: if self.compact_revision > 0 { self.compact_revision } else { -1 },
            torn: self.torn,
            closed: self.closed,
            digest: truth.digest(),
            damage: self.damage,
            damage_more,
            index,
        }
    }

    fn judge_index(
        &self,
        truth: &Content,
        said: Option<&Content>,
        loaded: Option<IndexState>,
        reader: &Reader,
    ) -> IndexFinding {
        let (Some(said), Some(point)) = (said, self.point) else {
            return match loaded {
                // The first checkpoint is made at an orderly stop at the latest.
                Some(IndexState::Rebuild(reason)) if reason != Marker::NONE_YET || self.closed => {
                    IndexFinding::Unusable(reason)
                }
                _ => IndexFinding::Absent,
            };
        };
        if !self.damage.is_empty() {
            return IndexFinding::NotCompared;
        }
        if !self.edge_seen {
            return IndexFinding::Unusable(format!("the log has no record edge at {point}, which it names"));
        }
        let digest = said.digest();
        let found = differences(truth, said, reader);
        if found.told.is_empty() && digest == truth.digest() {
            return IndexFinding::Agrees(point, digest);
        }
        IndexFinding::Differs { differences: found.told, more: found.more }
    }

    /// Who needs what lies in the damaged parts: known as far as the index knows.
    fn tell_gaps(&mut self, directory: &Directory, said: Option<&Content>, reader: &Reader) {
        for gap in std::mem::take(&mut self.gaps) {
            let LogPoint { segment, offset } = gap.start;
            let path = directory.path(segment);
            let mut damage = Damage::new(path, segment, gap.what.clone(), NO_START).at(offset, gap.end - offset);
            let needed_at_start =
                self.point.is_none_or(|point| gap.start >= point || segment == point.segment && !gap.framed);
            if let Some(said) = said {
                let row_lost = said.look_up(&gap, reader, &mut damage);
                if !needed_at_start && !row_lost {
                    damage.remedy = if damage.lost_count > 0 { RESTORE } else { SPARE };
                }
            }
            self.damage.push(damage);
        }
    }
}
