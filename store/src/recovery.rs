//! From the log, and the index if it is good, to the state. Both ways lead to the same state: what the index says is a
//! set of versions and rows, what the log says is added to it, and what compaction hides is left out at the end.

use crate::error::OpenError;
use crate::index::{Backend, IndexState, Marker, Row as IndexRow};
use crate::log::{self, EventKind, LiveBytes, LogPoint, Parts, Position, Progress, Reader, ReplaySummary, Replayed};
use crate::log::{ReadError, Table};
use crate::mvcc::{Attachment, HistoryEvent, Jump, Key, Row, State, ValueCache, Values, Version};
use crate::revision::Revision;
use crate::sequencer::Dirty;
use crate::sync::Arc;
use crate::tree::Tree;
use bytes::Bytes;
use std::collections::BTreeMap;

/// What a site starts with.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) state: State,
    pub(crate) live: LiveBytes,
    pub(crate) dirty: Dirty,
    pub(crate) parts: Parts,
    /// Where the index ends; None = it is empty.
    pub(crate) checkpoint: Option<LogPoint>,
}

/// Everything that was found, in the order in which it was found.
#[derive(Debug, Default)]
struct Gathered {
    versions: Vec<Found>,
    rows: BTreeMap<(Table, Bytes), FoundRow>,
    dirty: Dirty,
}

#[derive(Debug)]
struct Found {
    key: Key,
    version: Version,
    superseded_at: Option<i64>,
}

#[derive(Debug)]
enum FoundRow {
    Here(Bytes, Position),
    InLog(Position),
}

/// Replays the log from the index's checkpoint, or all of it if the index cannot be used.
///
/// # Errors
/// The log is damaged.
pub(crate) fn recover(
    mut log: log::Recovery,
    index: &dyn Backend,
    cache: &Arc<ValueCache>,
) -> Result<Recovered, OpenError> {
    let mut gathered = Gathered::default();
    let marker = match index.load(&mut |row| gathered.indexed(row)) {
        IndexState::Ready(marker) => Some(marker),
        IndexState::Rebuild(reason) => {
            if !log.is_new() {
                tracing::warn!(%reason, "rebuilding the index from the commit log");
            }
            gathered = Gathered { dirty: Dirty { all: true, ..Dirty::default() }, ..Gathered::default() };
            None
        }
    };
    if let Some(marker) = marker {
        match from_checkpoint(&mut log, gathered, marker, cache) {
            Ok((state, live, dirty)) => {
                let parts = log.finish()?;
                return Ok(Recovered { state, live, dirty, parts, checkpoint: Some(marker.point) });
            }
            Err(reason) => {
                tracing::warn!(%reason, "the index does not fit the commit log; rebuilding it from the commit log");
                index.clear()?;
            }
        }
    }
    let mut gathered = Gathered { dirty: Dirty { all: true, ..Dirty::default() }, ..Gathered::default() };
    let summary = replay(&mut log, None, &mut gathered)?;
    let (state, live, dirty) = gathered.build(&log.reader(), cache, &summary, Marker::default())?;
    Ok(Recovered { state, live, dirty, parts: log.finish()?, checkpoint: None })
}

fn from_checkpoint(
    log: &mut log::Recovery,
    mut gathered: Gathered,
    marker: Marker,
    cache: &Arc<ValueCache>,
) -> Result<(State, LiveBytes, Dirty), OpenError> {
    let summary = replay(log, Some(marker.point), &mut gathered)?;
    gathered.build(&log.reader(), cache, &summary, marker)
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
const PROGRESS_BYTES_MIN: u64 = 64 << 20;

impl Gathered {
    fn indexed(&mut self, row: IndexRow) {
        match row {
            IndexRow::Key { key, versions } => {
                let key = Key::from(&*key);
                self.versions.extend(versions.into_iter().map(|row| Found {
                    key: key.clone(),
                    version: Version::stored(row.revision, row.create_revision, row.version, row.lease, row.position),
                    superseded_at: None,
                }));
            }
            IndexRow::Table { table, key, row } => {
                let found = match row.value {
                    Some(value) => FoundRow::Here(value, row.position),
                    None => FoundRow::InLog(row.position),
                };
                self.rows.insert((table, key), found);
            }
        }
    }

    /// Values are looked at and not kept: their places are enough.
    fn replayed(&mut self, Replayed { record, appended }: Replayed) -> Result<(), OpenError> {
        let events = record.events.into_iter().map(|event| (event, None)).zip(appended.events);
        let moved = record.moved.into_iter().map(|moved| (moved.event, moved.superseded_at)).zip(appended.moved);
        for ((event, superseded_at), at) in events.chain(moved) {
            let kv = match &event.kind {
                EventKind::Put(kv) => Some(kv),
                EventKind::Delete => None,
            };
            let Some(version) = Version::recovered(event.revision, kv, at) else {
                let key = String::from_utf8_lossy(&event.key).into_owned();
                let reason = crate::mvcc::KeyValueError.to_string();
                return Err(OpenError::Version { key, revision: event.revision.main, reason });
            };
            let key = Key::from(&*event.key);
            self.dirty.keys.push(key.clone());
            self.versions.push(Found { key, version, superseded_at });
        }
        for (write, at) in record.tables.into_iter().zip(appended.tables) {
            self.dirty.rows.insert((write.table, write.key.clone()));
            match write.value {
                // A copy, or the row would keep its whole frame.
                Some(value) => {
                    let found = FoundRow::Here(Bytes::copy_from_slice(&value), at);
                    self.rows.insert((write.table, write.key), found);
                }
                None => drop(self.rows.remove(&(write.table, write.key))),
            }
        }
        Ok(())
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
        state.revision = state.revision.max(summary.revision).max(marker.revision).max(summary.compact_revision);
        match summary.compact_revision.max(marker.compact_revision) {
            compact_revision if compact_revision > 0 => state.compact_revision = compact_revision,
            _ => {}
        }
        let versions = self.keep(state.compact_revision);
        let mut live = LiveBytes::default();
        for (key, version) in &versions {
            live.added(version.position().unwrap_or_default(), key.len());
            state.bytes += version.bytes(key);
        }
        plant(&mut state, versions);
        for ((table, key), found) in std::mem::take(&mut self.rows) {
            let (value, position) = match found {
                FoundRow::Here(value, position) => (value, position),
                FoundRow::InLog(position) => {
                    let value = reader.read(position).map_err(|error| unreadable(&key, 0, &error))?;
                    (value, position)
                }
            };
            live.added(position, key.len());
            state.set_row(table, &key, Some(Row::recovered(value, position)));
        }
        Ok((state, live, self.dirty))
    }

    /// Sorts by key and revision and leaves out what compaction hides. The last finding of a version counts: it is the
    /// newest place.
    fn keep(&mut self, compact_revision: i64) -> Vec<(Key, Version)> {
        let mut versions = std::mem::take(&mut self.versions);
        versions.sort_by(|a, b| (&a.key, a.version.revision()).cmp(&(&b.key, b.version.revision())));
        let mut kept = Vec::with_capacity(versions.len());
        let mut versions = versions.into_iter().peekable();
        while let Some(mut found) = versions.next() {
            if let Some(next) = versions.peek_mut()
                && next.key == found.key
            {
                // All versions of a key share one key object.
                next.key = found.key.clone();
                if next.version.revision() == found.version.revision() {
                    next.superseded_at = next.superseded_at.or(found.superseded_at);
                    continue;
                }
                found.superseded_at = Some(next.version.revision().main);
            }
            if found.is_hidden(compact_revision) {
                self.dirty.keys.push(found.key);
            } else {
                kept.push((found.key, found.version));
            }
        }
        kept
    }
}

impl Found {
    /// The tombstone of exactly the compact revision is kept, for a watch from there.
    fn is_hidden(&self, compact_revision: i64) -> bool {
        self.superseded_at.is_some_and(|superseded_at| superseded_at <= compact_revision)
            || self.version.is_tombstone() && self.version.revision().main < compact_revision
    }
}

fn unreadable(key: &Bytes, revision: i64, error: &ReadError) -> OpenError {
    OpenError::Version { key: String::from_utf8_lossy(key).into_owned(), revision, reason: error.to_string() }
}

/// Builds the trees from versions in order of key and revision.
fn plant(state: &mut State, versions: Vec<(Key, Version)>) {
    let (mut by_key, mut history, mut attached) = (Vec::new(), Vec::new(), Vec::new());
    // Of the key at hand.
    let mut jumps: BTreeMap<Revision, Jump> = BTreeMap::new();
    let mut versions = versions.into_iter().peekable();
    let mut previous: Option<(Key, Version)> = None;
    while let Some((key, version)) = versions.next() {
        let before = previous.take().filter(|(before, _)| *before == key).map(|(_, version)| version);
        if version.revision().main >= state.compact_revision {
            let jump_of = |revision| jumps.get(&revision).copied();
            let event = HistoryEvent::new(key.clone(), version.clone(), before, jump_of);
            jumps.insert(version.revision(), event.jump());
            history.push((event, ()));
        }
        if versions.peek().is_none_or(|(next, _)| *next != key) {
            jumps.clear();
            if version.lease() != 0 {
                attached.push((Attachment { lease: version.lease(), key: key.clone() }, ()));
            }
            by_key.push((key.clone(), version.clone()));
        }
        previous = Some((key, version));
    }
    history.sort_unstable();
    attached.sort();
    state.swept = Revision { main: state.compact_revision, sub: i64::MAX };
    state.by_key = Tree::from_sorted(by_key);
    state.by_revision = Tree::from_sorted(history);
    state.attached = Tree::from_sorted(attached);
}
