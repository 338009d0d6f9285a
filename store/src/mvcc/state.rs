//! The whole state of a site at one moment, as persistent trees: a clone is a snapshot.
//!
//! # Invariants
//! - `compact_revision <= revision`.
//! - `by_key` holds the newest version or tombstone of each key of which any version is kept.
//! - `by_revision` holds every event at or above the compact revision (physical compaction may lag behind the mark).
//! - Every other version that is kept was superseded by an event after `swept`, and is the `previous` of that event: the
//!   versions of a key are a list through the history, with jumps ([`Jump`]), and need no tree of their own. An event
//!   that compaction took away is never jumped to: what is searched for is younger.
//! - `attached` holds (lease, key) exactly for the live keys whose newest version names a lease.

use super::row::Row;
use super::values::Values;
use super::version::{Jump, Numbers, Version};
use crate::key_range::KeyRange;
use crate::log::{Position, Table};
use crate::revision::Revision;
use crate::sync::Arc;
use crate::tree::{Entry, Tree};
use bytes::Bytes;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

/// An event as watchers see it.
#[derive(Clone, Debug)]
pub(crate) struct HistoryEvent {
    pub(crate) version: Version,
    /// What the key was before, tombstones included. Kept with the event, so that a watcher needs no look-up and a
    /// compaction at the event's own revision does not take its prev_kv away.
    pub(crate) previous: Option<Version>,
}

impl Entry for HistoryEvent {
    type Key = Revision;
    type Separator = Revision;

    fn key(&self) -> &Revision {
        self.version.revision_ref()
    }

    fn separator(&self) -> Revision {
        self.version.revision()
    }
}

/// A version that is attached to a lease, ordered by lease and key: the one that was attached, which may be older than
/// the newest if that kept the lease.
#[derive(Clone, Debug)]
pub(crate) struct Attachment(pub(crate) Version);

impl Attachment {
    /// Before all of a lease.
    fn first(lease: i64) -> Attachment {
        Attachment(Version::stored(b"", Numbers { lease, ..Numbers::default() }, Position::default()))
    }
}

impl Entry for Attachment {
    type Key = Attachment;
    type Separator = Attachment;

    fn key(&self) -> &Attachment {
        self
    }

    fn separator(&self) -> Attachment {
        self.clone()
    }
}

impl PartialEq for Attachment {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Attachment {}

impl PartialOrd for Attachment {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Attachment {
    fn cmp(&self, Attachment(other): &Self) -> Ordering {
        self.0.lease().cmp(&other.lease()).then_with(|| self.0.key().cmp(other.key()))
    }
}

/// A row of a table with its key.
#[derive(Clone, Debug)]
pub(crate) struct KeyedRow {
    pub(crate) key: Bytes,
    pub(crate) row: Row,
}

impl Entry for KeyedRow {
    type Key = [u8];
    type Separator = Bytes;

    fn key(&self) -> &[u8] {
        &self.key
    }

    fn separator(&self) -> Bytes {
        self.key.clone()
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) by_key: Tree<Version>,
    pub(crate) by_revision: Tree<HistoryEvent>,
    pub(crate) attached: Tree<Attachment>,
    /// Shared, because a state is cloned with each batch and rows change rarely.
    pub(crate) tables: Arc<BTreeMap<Table, Tree<KeyedRow>>>,
    pub(crate) revision: i64,
    /// -1 = nothing compacted, as etcd says it.
    pub(crate) compact_revision: i64,
    /// Physical compaction has dropped what events up to here superseded.
    pub(crate) swept: Revision,
    /// Bytes of all versions and rows that are kept.
    pub(crate) bytes: u64,
    /// Counts writes to rows of shares, so that links are woken by them and by nothing else.
    pub(crate) share_writes: i64,
    pub(crate) values: Values,
}

impl State {
    /// An empty store.
    pub(crate) fn empty(values: Values) -> State {
        State {
            by_key: Tree::new(),
            by_revision: Tree::new(),
            attached: Tree::new(),
            tables: Arc::default(),
            revision: Revision::EMPTY_STORE,
            compact_revision: -1,
            swept: Revision::default(),
            bytes: 0,
            share_writes: 0,
            values,
        }
    }

    /// The newest version of a key, tombstones included.
    pub(crate) fn newest(&self, key: &[u8]) -> Option<&Version> {
        self.by_key.get(key)
    }

    /// The live version of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Version> {
        self.newest(key)?.live()
    }

    /// The version of a key that was current at a main revision, tombstones included. O(log n) in the number of its
    /// versions since then.
    pub(crate) fn version_at<'a>(&'a self, newest: &'a Version, revision: i64) -> Option<&'a Version> {
        self.last_until(newest, Revision { main: revision, sub: i64::MAX }).map(|(version, _)| version)
    }

    /// The kept version with exactly this revision.
    pub(crate) fn version(&self, key: &[u8], revision: Revision) -> Option<&Version> {
        self.locate(key, revision).map(|(version, _)| version)
    }

    /// The same, with the main revision at which it was superseded; None for the newest.
    pub(crate) fn locate(&self, key: &[u8], revision: Revision) -> Option<(&Version, Option<i64>)> {
        let (version, next) = self.last_until(self.newest(key)?, revision)?;
        let superseded_at = next.map(|next| next.revision().main);
        (version.revision() == revision).then_some((version, superseded_at))
    }

    /// All kept versions of a key, the newest first.
    pub(crate) fn versions<'a>(&'a self, newest: &'a Version) -> impl Iterator<Item = &'a Version> {
        std::iter::successors(Some(newest), |version| self.previous(self.event(version.revision())?))
    }

    /// The last version of a key at or below a revision, and the one that superseded it.
    fn last_until<'a>(&'a self, newest: &'a Version, revision: Revision) -> Option<(&'a Version, Option<&'a Version>)> {
        let (mut version, mut next) = (newest, None);
        while version.revision() > revision {
            let jump = Some(version.jump().to()).filter(|to| *to > revision);
            let event = jump.and_then(|to| self.event(to)).or_else(|| self.event(version.revision()))?;
            next = Some(&event.version);
            version = self.previous(event)?;
        }
        Some((version, next))
    }

    /// Whether anything that is kept lies in a segment of the log. Looks at everything.
    pub(crate) fn lies_in(&self, segment: u64) -> bool {
        let is_there = |position: Option<Position>| position.is_some_and(|at| at.segment == segment);
        let mut versions = self.by_key.iter().flat_map(|newest| self.versions(newest));
        let mut rows = self.tables.values().flat_map(|rows| rows.iter());
        versions.any(|version| is_there(version.position())) || rows.any(|found| is_there(found.row.position()))
    }

    /// What an event superseded, if it is kept. A tombstone goes with its own event.
    pub(crate) fn previous<'a>(&'a self, event: &'a HistoryEvent) -> Option<&'a Version> {
        let previous = event.previous.as_ref().filter(|_| event.version.revision() > self.swept)?;
        (!previous.is_tombstone() || self.event(previous.revision()).is_some()).then_some(previous)
    }

    fn event(&self, revision: Revision) -> Option<&HistoryEvent> {
        self.by_revision.get(&revision)
    }

    /// Makes a version the newest of its key and notes the event. `make` is told the version before, tombstones included.
    pub(crate) fn apply(
        &mut self,
        key: &[u8],
        revision: Revision,
        make: impl FnOnce(Option<&Version>, Jump) -> Version,
    ) -> Version {
        let history = &self.by_revision;
        let jump_of = |revision: Revision| history.get(&revision).map(|event| event.version.jump());
        let mut made = None;
        let previous = self
            .by_key
            .upsert(key, |previous| made.insert(make(previous, Jump::after(previous, revision, jump_of))).clone());
        let version = made.expect("invariant: upsert makes an entry");
        self.bytes += version.bytes();
        self.reattach(previous.as_ref(), Some(&version));
        self.by_revision.upsert(&revision, |_| HistoryEvent { version: version.clone(), previous });
        version
    }

    /// Takes back the last [`State::apply`] that was not taken back.
    pub(crate) fn revert(&mut self, revision: Revision) {
        let event = self.by_revision.remove(&revision);
        let HistoryEvent { version, previous } = event.expect("invariant: what is reverted was applied");
        self.bytes -= version.bytes();
        self.reattach(Some(&version), previous.as_ref());
        match previous {
            Some(previous) => drop(self.by_key.insert(previous)),
            None => drop(self.by_key.remove(version.key())),
        }
    }

    fn reattach(&mut self, from: Option<&Version>, to: Option<&Version>) {
        let attached = |version: Option<&Version>| version.filter(|version| version.lease() != 0).cloned();
        let (from, to) = (attached(from).map(Attachment), attached(to).map(Attachment));
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.attached.remove(&from);
        }
        if let Some(to) = to {
            self.attached.insert(to);
        }
    }

    /// Keys of a lease in key order.
    pub(crate) fn keys_of_lease(&self, lease: i64) -> Vec<Bytes> {
        let attached = self.attached.range(Bound::Included(&Attachment::first(lease)), Bound::Unbounded);
        let of_lease = attached.take_while(|Attachment(version)| version.lease() == lease);
        of_lease.map(|Attachment(version)| Bytes::copy_from_slice(version.key())).collect()
    }

    /// Keys that are attached to any lease, by lease and key.
    pub(crate) fn attached_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.attached.iter().map(|Attachment(version)| version.key())
    }

    /// A row of a table.
    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Option<&Row> {
        self.tables.get(&table)?.get(key).map(|found| &found.row)
    }

    /// Rows whose key starts with a prefix, in key order.
    pub(crate) fn rows(&self, table: Table, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        let Some(rows) = self.tables.get(&table) else { return Vec::new() };
        let range = KeyRange::prefix(prefix);
        let (start, end) = range.bounds();
        rows.range(start, end).map(|KeyedRow { key, row }| (key.clone(), row.value().clone())).collect()
    }

    /// Shows rows from `first` on, in key order, while `visit` says true.
    pub(crate) fn visit_rows(&self, table: Table, first: &Bytes, mut visit: impl FnMut(&Bytes, &Bytes) -> bool) {
        let Some(rows) = self.tables.get(&table) else { return };
        for KeyedRow { key, row } in rows.range(Bound::Included(first), Bound::Unbounded) {
            if !visit(key, row.value()) {
                return;
            }
        }
    }

    /// Sets or deletes a row and returns what it was.
    pub(crate) fn set_row(&mut self, table: Table, key: &Bytes, row: Option<Row>) -> Option<Row> {
        self.share_writes += i64::from(matches!(table, Table::Share | Table::Entry | Table::Conflict));
        let rows = Arc::make_mut(&mut self.tables).entry(table).or_default();
        self.bytes += row.as_ref().map_or(0, |row| row.bytes(key));
        let old = match row {
            Some(row) => rows.insert(KeyedRow { key: key.clone(), row }),
            None => rows.remove(key),
        };
        let old = old.map(|old| old.row);
        self.bytes -= old.as_ref().map_or(0, |row| row.bytes(key));
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimulatedDisk;
    use crate::log::{Log, Options};
    use crate::mvcc::{Compaction, ValueCache};

    fn state(puts: i64) -> (State, &'static [u8]) {
        let options = Options { prepare_ahead: false, ..Options::default() };
        let disk = std::sync::Arc::new(SimulatedDisk::new(1));
        let mut log = Log::open(disk, std::path::Path::new("/log"), options).unwrap();
        log.replay(None, &mut |_| (), &mut |_| ()).unwrap();
        let values = Values::new(ValueCache::new(1 << 20), log.finish().unwrap().reader.pin());
        let (mut state, key) = (State::empty(values), &b"key"[..]);
        for main in 2..puts + 2 {
            let revision = Revision { main, sub: 0 };
            let numbers = Numbers { revision, create_revision: 2, number: main - 1, lease: 0 };
            state.revision = main;
            state.apply(key, revision, |_, jump| Version::put(key, b"value", numbers, jump).0);
        }
        (state, key)
    }

    /// Every version is found from the newest one in a logarithmic number of steps, before and after compactions.
    #[test]
    fn the_versions_of_a_key_are_a_list_with_jumps() {
        let (mut state, key) = state(1_000);
        for through in [0, 300, 301, 990] {
            state.compact_revision = through;
            let mut dropped = Vec::new();
            while !Compaction::towards(through).slice(&mut state, 10_000, &mut dropped) {}
            let newest = state.newest(key).unwrap().clone();
            for main in through.max(2)..=1_001 {
                let revision = Revision { main, sub: 0 };
                assert_eq!(state.version_at(&newest, main).map(Version::revision), Some(revision));
                assert_eq!(superseded_at(&state, key, revision), (main < 1_001).then_some(main + 1));
                assert!(steps(&state, &newest, revision) <= 40, "{main}");
            }
            let kept: Vec<i64> = state.versions(&newest).map(|version| version.revision().main).collect();
            assert_eq!(kept, (through.max(2)..=1_001).rev().collect::<Vec<_>>());
            assert!(state.version(key, Revision { main: through - 1, sub: 0 }).is_none());
        }
    }

    fn superseded_at(state: &State, key: &[u8], revision: Revision) -> Option<i64> {
        state.locate(key, revision)?.1
    }

    fn steps(state: &State, newest: &Version, until: Revision) -> usize {
        let (mut at, mut steps) = (newest, 0);
        while at.revision() > until {
            let to = at.jump().to();
            let event = state.event(if to > until { to } else { at.revision() }).unwrap();
            at = event.previous.as_ref().unwrap();
            steps += 1;
        }
        steps
    }

    #[test]
    fn what_is_taken_back_leaves_the_list_as_it_was() {
        let (mut state, key) = state(10);
        let before = state.newest(key).unwrap().clone();
        let revision = Revision { main: 12, sub: 0 };
        state.apply(key, revision, |_, jump| Version::tombstone(key, revision, jump));
        assert_eq!(superseded_at(&state, key, before.revision()), Some(12));
        state.revert(revision);
        assert_eq!((superseded_at(&state, key, before.revision()), state.versions(&before).count()), (None, 10));
    }
}
