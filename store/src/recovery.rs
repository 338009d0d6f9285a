//! From the log, and the index if it is good, to the state. Both ways lead to the same state: what the index says is a
//! set of versions and rows, what the log says is added to it, and what compaction hides is left out at the end.
//!
//! No value is read, and none of those that the log's tail shows is kept: a version needs its place and its numbers. The
//! index is loaded while the log's tail is replayed, and the trees are built from sorted entries.

use crate::error::OpenError;
use crate::index::{Backend, BlockId, IndexState, Marker, Row as IndexRow, VersionRow};
use crate::log::{self, EventKind, LiveBytes, LogPoint, Parts, Position, Progress, Reader, ReplaySummary, Replayed};
use crate::log::{ReadError, Table};
use crate::mvcc::{Attachment, HistoryEvent, Jump, Numbers, Row, State, ValueCache, Values, Version};
use crate::revision::Revision;
use crate::sequencer::Dirty;
use crate::sync::{Arc, thread};
use crate::tree::Tree;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::mpsc;

/// What a site starts with.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) live: LiveBytes,
    pub(crate) dirty: Dirty,
    pub(crate) parts: Parts,
    pub(crate) indexed: Indexed,
}

/// What the index holds.
#[derive(Debug, Default)]
pub(crate) struct Indexed {
    /// None = it is empty.
    pub(crate) marker: Option<Marker>,
    /// Blocks that an interrupted checkpoint left.
    pub(crate) stale: Vec<BlockId>,
}

/// Everything that was found, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) versions: Vec<Found>,
    /// Rows; None = deleted in the log.
    pub(crate) rows: BTreeMap<(Table, Bytes), Option<FoundRow>>,
    stale: Vec<BlockId>,
    dirty: Dirty,
}

/// One version as it was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    version: Version,
    /// The index says that the key is gone; the version has nothing but the key.
    is_gone: bool,
    /// 0 = not, as far as this finding knows.
    superseded_at: i64,
    /// The block, or [`IN_LOG`].
    source: u32,
}

/// The source of what was replayed: newer than every block.
const IN_LOG: u32 = u32::MAX;

/// One row as it was found.
#[derive(Clone, Debug)]
pub(crate) enum FoundRow {
    Here(Bytes, Position),
    InLog(Position),
}

/// Replays the log from the index's checkpoint, or all of it if the index cannot be used.
///
/// # Errors
/// The log is damaged, or ends before what the index was told to be durable.
pub(crate) fn recover(
    mut log: log::Recovery,
    index: &dyn Backend,
    cache: &Arc<ValueCache>,
) -> Result<Recovered, OpenError> {
    let mut indexed = None;
    let everything = || Gathered { dirty: Dirty { all: true, ..Dirty::default() }, ..Gathered::default() };
    match from_checkpoint(&mut log, index) {
        Ok((marker, mut gathered, summary)) => {
            let stale = std::mem::take(&mut gathered.stale);
            log.set_known(marker.revision, marker.compact_revision);
            let (state, live, dirty) = gathered.build(&log.reader(), cache, &summary, marker)?;
            let indexed = Indexed { marker: Some(marker), stale };
            return Ok(Recovered { state, live, dirty, parts: log.finish()?, indexed });
        }
        Err(Unfit::Rebuild(reason)) => {
            if !log.is_new() {
                tracing::warn!(%reason, "rebuilding the index from the commit log");
            }
        }
        Err(Unfit::Log(point, reason)) => {
            tracing::warn!(%reason, "the index does not fit the commit log; rebuilding it from the commit log");
            indexed = Some(point);
        }
    }
    let mut gathered = everything();
    let summary = replay(&mut log, None, &mut gathered)?;
    if let Some(indexed) = indexed {
        // A point names only what was durable, so a log that ends before it was cut by something else than a crash.
        if indexed > summary.end && !Marker::is_unreachable(indexed) {
            return Err(OpenError::LogCut { indexed, end: summary.end });
        }
        index.clear()?;
    }
    let (state, live, dirty) = gathered.build(&log.reader(), cache, &summary, Marker::default())?;
    Ok(Recovered { state, live, dirty, parts: log.finish()?, indexed: Indexed::default() })
}

/// Why a start is not from the index.
enum Unfit {
    /// The index says so itself, and is empty now.
    Rebuild(String),
    /// The log says so, of the point that the index names.
    Log(LogPoint, OpenError),
}

/// Loads the index on a thread of its own while the log is replayed from the point that its marker names.
fn from_checkpoint(log: &mut log::Recovery, index: &dyn Backend) -> Result<(Marker, Gathered, ReplaySummary), Unfit> {
    thread::scope(|scope| {
        let (marked, marker) = mpsc::channel();
        let loading = scope.spawn(move || {
            let mut gathered = Gathered::default();
            let loaded = index.load(&mut |row| match row {
                IndexRow::Marker(marker) => {
                    gathered.expect(&marker);
                    // Nobody listens any more when the replay has failed.
                    let _ = marked.send(marker.point);
                }
                row => gathered.indexed(row),
            });
            drop(marked);
            (loaded, gathered)
        });
        let mut tail = Gathered::default();
        let replayed = marker.recv().ok().map(|point: LogPoint| replay(log, Some(point), &mut tail));
        let (loaded, gathered) = loading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let marker = match loaded {
            IndexState::Ready(marker) => marker,
            IndexState::Rebuild(reason) => return Err(Unfit::Rebuild(reason)),
        };
        match replayed {
            Some(Ok(summary)) => Ok((marker, gathered.followed_by(tail), summary)),
            Some(Err(error)) => Err(Unfit::Log(marker.point, error)),
            None => Err(Unfit::Rebuild("it has no marker".into())),
        }
    })
}

fn replay(
    log: &mut log::Recovery,
    from: Option<LogPoint>,
    gathered: &mut Gathered,
) -> Result<ReplaySummary, OpenError> {
    let mut told = 0;
    let mut progress = |progress: Progress| {
        let tenth = progress.done_bytes * 10 / progress.total_bytes.max(1);
        if tenth > told && progress.total_bytes >= PROGRESS_BYTES_MIN {
            told = tenth;
            tracing::info!(percent = tenth * 10, bytes = progress.total_bytes, "reading the commit log");
        }
    };
    let mut unreadable = Ok(());
    let mut visit = |replayed| {
        if unreadable.is_ok() {
            unreadable = gathered.replayed(replayed);
        }
    };
    let summary = log.replay(from, &mut progress, &mut visit)?;
    unreadable.map(|()| summary)
}

/// Replays shorter than this say nothing.
const PROGRESS_BYTES_MIN: u64 = 256 << 20;

impl Gathered {
    /// Makes room for what the marker announces. A wrong number costs time and nothing else.
    fn expect(&mut self, marker: &Marker) {
        let keys = marker.base_keys.saturating_add(marker.delta_keys).min(EXPECTED_KEYS_MAX);
        self.versions.reserve(keys as usize);
    }

    pub(crate) fn indexed(&mut self, row: IndexRow<'_>) {
        match row {
            IndexRow::Version { block, key, version } => {
                let (is_gone, stored) = (version.is_none(), version.map(stored).unwrap_or_default());
                let version = Version::stored(key, stored.0, stored.1);
                self.versions.push(Found { version, is_gone, superseded_at: 0, source: block });
            }
            IndexRow::Table { table, key, position, value } => {
                let found = match value {
                    Some(value) => FoundRow::Here(Bytes::copy_from_slice(value), position),
                    None => FoundRow::InLog(position),
                };
                self.rows.insert((table, Bytes::copy_from_slice(key)), Some(found));
            }
            IndexRow::Stale(id) => self.stale.push(id),
            IndexRow::Marker(_) => {}
        }
    }

    /// Values are looked at and not kept: their places are enough.
    pub(crate) fn replayed(&mut self, Replayed { record, appended }: Replayed) -> Result<(), OpenError> {
        let events = record.events.into_iter().map(|event| (event, None)).zip(appended.events);
        let moved = record.moved.into_iter().map(|moved| (moved.event, moved.superseded_at)).zip(appended.moved);
        for ((event, superseded_at), at) in events.chain(moved) {
            let kv = match &event.kind {
                EventKind::Put(kv) => Some(kv),
                EventKind::Delete => None,
            };
            let Some(version) = Version::recovered(&event.key, event.revision, kv, at) else {
                let key = String::from_utf8_lossy(&event.key).into_owned();
                let reason = crate::mvcc::KeyValueError.to_string();
                return Err(OpenError::Version { key, revision: event.revision.main, reason });
            };
            self.dirty.versions.push(version.clone());
            let superseded_at = superseded_at.unwrap_or_default();
            self.versions.push(Found { version, is_gone: false, superseded_at, source: IN_LOG });
        }
        for (write, at) in record.tables.into_iter().zip(appended.tables) {
            self.dirty.rows.insert((write.table, write.key.clone()));
            // A copy, or the row would keep its whole frame.
            let found = write.value.map(|value| FoundRow::Here(Bytes::copy_from_slice(&value), at));
            self.rows.insert((write.table, write.key), found);
        }
        Ok(())
    }

    /// For who makes no checkpoint.
    pub(crate) fn forget_dirty(&mut self) {
        self.dirty = Dirty::default();
    }

    pub(crate) fn followed_by(mut self, tail: Gathered) -> Gathered {
        self.versions.extend(tail.versions);
        self.rows.extend(tail.rows);
        self.dirty.merge(tail.dirty);
        self
    }

    fn build(
        mut self,
        reader: &Reader,
        cache: &Arc<ValueCache>,
        summary: &ReplaySummary,
        marker: Marker,
    ) -> Result<(State, LiveBytes, Dirty), OpenError> {
        let mut state = State::empty(Values::new(cache.clone(), reader.pin()));
        // Never below the compact revision, which an import may have set above the last event.
        let known = marker.revision.max(summary.compact_revision);
        state.revision = state.revision.max(summary.revision).max(known);
        match summary.compact_revision.max(marker.compact_revision) {
            compact_revision if compact_revision > 0 => state.compact_revision = compact_revision,
            _ => {}
        }
        let versions = self.keep(state.compact_revision);
        let mut live = LiveBytes::default();
        for version in &versions {
            live.added(version.position().unwrap_or_default(), version.key().len());
            state.bytes += version.bytes();
        }
        plant(&mut state, &versions);
        drop(versions);
        for ((table, key), found) in std::mem::take(&mut self.rows) {
            let (value, position) = match found {
                Some(FoundRow::Here(value, position)) => (value, position),
                Some(FoundRow::InLog(position)) => {
                    let value = reader.read(position).map_err(|error| unreadable(&key, &error))?;
                    (value, position)
                }
                None => continue,
            };
            live.added(position, key.len());
            state.set_row(table, &key, Some(Row::recovered(value, position)));
        }
        Ok((state, live, self.dirty))
    }

    /// All versions that are kept, by key and revision.
    pub(crate) fn keep(&mut self, compact_revision: i64) -> Vec<Version> {
        let mut versions = std::mem::take(&mut self.versions);
        // Nearly sorted already, block by block: a stable sort merges what it finds in order.
        versions.sort_by(|a, b| a.key().cmp(b.key()).then_with(|| a.order().cmp(&b.order())));
        let mut kept = Vec::with_capacity(versions.len());
        let mut versions = versions.into_iter().peekable();
        let mut group = Vec::new();
        while let Some(first) = versions.next() {
            let key = first.version.clone();
            group.push(first);
            while let Some(next) = versions.next_if(|next| next.key() == key.key()) {
                group.push(next);
            }
            if keep_of_key(&mut group, compact_revision, &mut kept) {
                self.dirty.versions.push(key);
            }
        }
        kept
    }
}

impl Found {
    fn key(&self) -> &[u8] {
        self.version.key()
    }

    /// Among the findings of a key.
    fn order(&self) -> (Revision, u32) {
        (self.version.revision(), self.source)
    }
}

/// What an index row says, beside the key.
fn stored(row: VersionRow) -> (Numbers, Position) {
    let VersionRow { revision, create_revision, number, lease, position } = row;
    (Numbers { revision, create_revision, number, lease }, position)
}

/// Memory that is reserved on a marker's word at most, in keys.
const EXPECTED_KEYS_MAX: u64 = 1 << 22;

/// Moves what is kept of one key's versions, sorted by revision and source, to `kept`; true if some are hidden. Of the
/// blocks only the last that names the key counts. The last finding of a version is its newest place.
fn keep_of_key(group: &mut Vec<Found>, compact_revision: i64, kept: &mut Vec<Version>) -> bool {
    let newest_block = group.iter().map(|found| found.source).filter(|source| *source != IN_LOG).max();
    let counts = |found: &Found| found.source == IN_LOG || Some(found.source) == newest_block;
    let mut hides = false;
    let mut findings = group.drain(..).filter(|found| counts(found) && !found.is_gone).peekable();
    while let Some(Found { version, mut superseded_at, .. }) = findings.next() {
        if let Some(next) = findings.peek_mut() {
            if next.version.revision() == version.revision() {
                next.superseded_at = next.superseded_at.max(superseded_at);
                continue;
            }
            // What superseded it may be gone, with its segment: then a copy of the version says so itself.
            let newer = next.version.revision().main;
            superseded_at = match superseded_at {
                0 => newer,
                known => known.min(newer),
            };
        }
        // The tombstone of exactly the compact revision is kept, for a watch from there.
        let hidden = superseded_at != 0 && superseded_at <= compact_revision
            || version.is_tombstone() && version.revision().main < compact_revision;
        hides |= hidden;
        if !hidden {
            kept.push(version);
        }
    }
    hides
}

fn unreadable(key: &Bytes, error: &ReadError) -> OpenError {
    OpenError::Version { key: String::from_utf8_lossy(key).into_owned(), revision: 0, reason: error.to_string() }
}

/// Builds the trees from versions in order of key and revision.
fn plant(state: &mut State, versions: &[Version]) {
    let compact_revision = state.compact_revision;
    thread::scope(|scope| {
        let history = scope.spawn(move || plant_history(versions, compact_revision));
        let newest = versions.chunk_by(|a, b| a.key() == b.key()).filter_map(|of_key| of_key.last());
        state.by_key = Tree::from_sorted(newest.clone().cloned());
        let attached = newest.filter(|version| version.lease() != 0);
        let mut attached: Vec<Attachment> = attached.cloned().map(Attachment).collect();
        attached.sort_unstable();
        state.attached = Tree::from_sorted(attached);
        state.by_revision = history.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    });
    state.swept = Revision { main: compact_revision, sub: i64::MAX };
}

/// Builds the history, and sets the versions' jumps.
fn plant_history(versions: &[Version], compact_revision: i64) -> Tree<HistoryEvent> {
    let mut events = Vec::with_capacity(versions.len());
    for of_key in versions.chunk_by(|a, b| a.key() == b.key()) {
        let mut jumps: BTreeMap<Revision, Jump> = BTreeMap::new();
        let mut previous: Option<Version> = None;
        for version in of_key {
            let revision = version.revision();
            version.set_jump(Jump::after(previous.as_ref(), revision, |revision| jumps.get(&revision).copied()));
            // Most keys have one version, whose jump nobody will ask for.
            if of_key.len() > 1 {
                jumps.insert(revision, version.jump());
            }
            let previous = previous.replace(version.clone());
            if revision.main >= compact_revision {
                events.push((revision, HistoryEvent { version: version.clone(), previous }));
            }
        }
    }
    // By plain numbers: comparing the events themselves would look up each revision behind its pointer.
    events.sort_unstable_by_key(|(revision, _)| *revision);
    Tree::from_sorted(events.into_iter().map(|(_, event)| event))
}

#[cfg(test)]
mod tests;
