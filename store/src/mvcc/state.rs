//! The whole state of a site at one moment, as persistent trees: a clone is a snapshot.
//!
//! # Invariants
//! - `compact_revision <= revision`.
//! - `by_key` holds the newest version or tombstone of each key of which any version is kept.
//! - `by_revision` holds every event at or above the compact revision (physical compaction may lag behind the mark).
//! - Every other version that is kept was superseded by an event after `swept`, and is the `previous` of that event: the
//!   versions of a key are a list through the history, with jumps ([`Jump`]), and need no tree of their own.
//! - `attached` holds (lease, key) exactly for the live keys whose newest version names a lease.

use super::row::Row;
use super::values::Values;
use super::version::{Key, Version};
use crate::key_range::KeyRange;
use crate::log::Table;
use crate::revision::Revision;
use crate::tree::Tree;
use bytes::Bytes;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

/// How the list of a key's versions is walked in O(log n) steps: each event names an older one of its key, at distances
/// that make any of them reachable (E. Myers, An applicative random-access stack, 1983). An event that compaction took
/// away is never jumped to: what is searched for is younger.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Jump {
    /// Events of the key before this one, as far as they were kept when it was made.
    depth: u64,
    /// Where it leads; the event itself if it has none before it.
    to: Revision,
}

/// An event as watchers see it. Ordered by its revision, which is the version's: the tree needs no key beside it.
#[derive(Clone, Debug)]
pub(crate) struct HistoryEvent {
    pub(crate) key: Key,
    pub(crate) version: Version,
    /// What the key was before, tombstones included. Kept with the event, so that a watcher needs no look-up and a
    /// compaction at the event's own revision does not take its prev_kv away.
    pub(crate) previous: Option<Version>,
    jump: Jump,
}

impl HistoryEvent {
    /// `jump_of` tells the jump of an event that is kept.
    pub(crate) fn new(
        key: Key,
        version: Version,
        previous: Option<Version>,
        jump_of: impl Fn(Revision) -> Option<Jump>,
    ) -> HistoryEvent {
        let before = previous.as_ref().map(Version::revision).and_then(|at| Some((at, jump_of(at)?)));
        let jump = match before {
            None => Jump { depth: 0, to: version.revision() },
            Some((at, jump)) => Jump { depth: jump.depth + 1, to: jump_over(at, jump, jump_of) },
        };
        HistoryEvent { key, version, previous, jump }
    }

    pub(crate) fn jump(&self) -> Jump {
        self.jump
    }
}

/// Where the event after `at` jumps to: as far as two equal jumps before it lead, else to `at`.
fn jump_over(at: Revision, jump: Jump, jump_of: impl Fn(Revision) -> Option<Jump>) -> Revision {
    match jump_of(jump.to) {
        Some(second) if jump.to < at => {
            let third = jump_of(second.to).map_or(0, |third| third.depth);
            if jump.depth - second.depth == second.depth - third { second.to } else { at }
        }
        _ => at,
    }
}

impl Borrow<Revision> for HistoryEvent {
    fn borrow(&self) -> &Revision {
        self.version.revision_ref()
    }
}

impl PartialEq for HistoryEvent {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for HistoryEvent {}

impl PartialOrd for HistoryEvent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for HistoryEvent {
    fn cmp(&self, other: &Self) -> Ordering {
        self.version.revision_ref().cmp(other.version.revision_ref())
    }
}

/// Key of [`State::attached`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Attachment {
    pub(crate) lease: i64,
    pub(crate) key: Key,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) by_key: Tree<Key, Version>,
    pub(crate) by_revision: Tree<HistoryEvent, ()>,
    pub(crate) attached: Tree<Attachment, ()>,
    pub(crate) tables: BTreeMap<Table, Tree<Bytes, Row>>,
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
            tables: BTreeMap::new(),
            revision: Revision::EMPTY_STORE,
            compact_revision: -1,
            swept: Revision::default(),
            bytes: 0,
            share_writes: 0,
            values,
        }
    }

    /// The newest version of a key, tombstones included, with the key object that the trees share.
    pub(crate) fn newest(&self, key: &[u8]) -> Option<(&Key, &Version)> {
        self.by_key.get_entry(key)
    }

    /// The live version of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Version> {
        self.by_key.get(key)?.live()
    }

    /// The version of a key that was current at a main revision, tombstones included. O(log n) in the number of its
    /// versions since then.
    pub(crate) fn version_at<'a>(&'a self, newest: &'a Version, revision: i64) -> Option<&'a Version> {
        self.last_until(newest, Revision { main: revision, sub: i64::MAX }).map(|(version, _)| version)
    }

    /// The kept version with exactly this revision.
    pub(crate) fn version(&self, key: &[u8], revision: Revision) -> Option<(&Key, &Version)> {
        self.locate(key, revision).map(|(key, version, _)| (key, version))
    }

    /// The same, with the main revision at which it was superseded; None for the newest.
    pub(crate) fn locate(&self, key: &[u8], revision: Revision) -> Option<(&Key, &Version, Option<i64>)> {
        let (key, newest) = self.newest(key)?;
        let (version, next) = self.last_until(newest, revision)?;
        let superseded_at = next.map(|next| next.revision().main);
        (version.revision() == revision).then_some((key, version, superseded_at))
    }

    /// All kept versions of a key, the newest first.
    pub(crate) fn versions<'a>(&'a self, newest: &'a Version) -> impl Iterator<Item = &'a Version> {
        std::iter::successors(Some(newest), |version| self.previous(self.event(version.revision())?))
    }

    /// The last version of a key at or below a revision, and the one that superseded it.
    fn last_until<'a>(&'a self, newest: &'a Version, revision: Revision) -> Option<(&'a Version, Option<&'a Version>)> {
        let (mut version, mut next) = (newest, None);
        while version.revision() > revision {
            let mut event = self.event(version.revision())?;
            if event.jump.to > revision
                && let Some(there) = self.event(event.jump.to)
            {
                event = there;
            }
            next = Some(&event.version);
            version = self.previous(event)?;
        }
        Some((version, next))
    }

    /// What an event superseded, if it is kept. A tombstone goes with its own event.
    pub(crate) fn previous<'a>(&'a self, event: &'a HistoryEvent) -> Option<&'a Version> {
        let previous = event.previous.as_ref().filter(|_| event.version.revision() > self.swept)?;
        (!previous.is_tombstone() || self.event(previous.revision()).is_some()).then_some(previous)
    }

    fn event(&self, revision: Revision) -> Option<&HistoryEvent> {
        self.by_revision.get_entry(&revision).map(|(event, ())| event)
    }

    /// Makes a version the newest of its key and notes the event.
    pub(crate) fn apply(&mut self, key: Key, version: Version) {
        self.bytes += version.bytes(&key);
        let previous = self.by_key.insert(key.clone(), version.clone());
        self.reattach(&key, previous.as_ref().map_or(0, Version::lease), version.lease());
        let event = HistoryEvent::new(key, version, previous, |revision| self.event(revision).map(|event| event.jump));
        self.by_revision.insert(event, ());
    }

    /// Takes back the last [`State::apply`] that was not taken back.
    pub(crate) fn revert(&mut self, revision: Revision) {
        let event = self.event(revision).cloned();
        self.by_revision.remove(&revision);
        let HistoryEvent { key, version, previous, .. } = event.expect("invariant: what is reverted was applied");
        self.bytes -= version.bytes(&key);
        self.reattach(&key, version.lease(), previous.as_ref().map_or(0, Version::lease));
        match previous {
            Some(previous) => drop(self.by_key.insert(key, previous)),
            None => drop(self.by_key.remove(&*key)),
        }
    }

    fn reattach(&mut self, key: &Key, from: i64, to: i64) {
        if from == to {
            return;
        }
        if from != 0 {
            self.attached.remove(&Attachment { lease: from, key: key.clone() });
        }
        if to != 0 {
            self.attached.insert(Attachment { lease: to, key: key.clone() }, ());
        }
    }

    /// Keys of a lease in key order.
    pub(crate) fn keys_of_lease(&self, lease: i64) -> impl Iterator<Item = &Key> {
        let first = Attachment { lease, key: Key::default() };
        self.attached
            .range(Bound::Included(&first), Bound::Unbounded)
            .map(|(attachment, ())| attachment)
            .take_while(move |attachment| attachment.lease == lease)
            .map(|attachment| &attachment.key)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Keys that are attached to any lease, by lease and key.
    pub(crate) fn attached_keys(&self) -> impl Iterator<Item = &Key> {
        self.attached.range(Bound::Unbounded, Bound::Unbounded).map(|(attachment, ())| &attachment.key)
    }

    /// A row of a table.
    pub(crate) fn row(&self, table: Table, key: &[u8]) -> Option<&Row> {
        self.tables.get(&table)?.get(key)
    }

    /// Rows whose key starts with a prefix, in key order.
    pub(crate) fn rows(&self, table: Table, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        let Some(rows) = self.tables.get(&table) else { return Vec::new() };
        let range = KeyRange::prefix(prefix);
        let (start, end) = range.bounds();
        rows.range(start, end).map(|(key, row)| (key.clone(), row.value().clone())).collect()
    }

    /// Shows rows from `first` on, in key order, while `visit` says true.
    pub(crate) fn visit_rows(&self, table: Table, first: &Bytes, mut visit: impl FnMut(&Bytes, &Bytes) -> bool) {
        let Some(rows) = self.tables.get(&table) else { return };
        for (key, row) in rows.range(Bound::Included(first), Bound::Unbounded) {
            if !visit(key, row.value()) {
                return;
            }
        }
    }

    /// Sets or deletes a row and returns what it was.
    pub(crate) fn set_row(&mut self, table: Table, key: &Bytes, row: Option<Row>) -> Option<Row> {
        self.share_writes += i64::from(matches!(table, Table::Share | Table::Entry | Table::Conflict));
        let rows = self.tables.entry(table).or_default();
        self.bytes += row.as_ref().map_or(0, |row| row.bytes(key));
        let old = match row {
            Some(row) => rows.insert(key.clone(), row),
            None => rows.remove(key),
        };
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

    fn state(puts: i64) -> (State, Key) {
        let options = Options { prepare_ahead: false, ..Options::default() };
        let disk = std::sync::Arc::new(SimulatedDisk::new(1));
        let mut log = Log::open(disk, std::path::Path::new("/log"), options).unwrap();
        log.replay(None, &mut |_| (), &mut |_| ()).unwrap();
        let values = Values::new(ValueCache::new(1 << 20), log.finish().unwrap().reader.pin());
        let (mut state, key) = (State::empty(values), Key::from(&b"key"[..]));
        for main in 2..puts + 2 {
            let (version, _) = Version::put(&key, b"value", Revision { main, sub: 0 }, 2, main - 1, 0);
            state.revision = main;
            state.apply(key.clone(), version);
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
            let newest = state.by_key.get(&*key).unwrap().clone();
            for main in through.max(2)..=1_001 {
                let revision = Revision { main, sub: 0 };
                assert_eq!(state.version_at(&newest, main).map(Version::revision), Some(revision));
                assert_eq!(superseded_at(&state, &key, revision), (main < 1_001).then_some(main + 1));
                assert!(steps(&state, &newest, revision) <= 40, "{main}");
            }
            let kept: Vec<i64> = state.versions(&newest).map(|version| version.revision().main).collect();
            assert_eq!(kept, (through.max(2)..=1_001).rev().collect::<Vec<_>>());
            assert!(state.version(&key, Revision { main: through - 1, sub: 0 }).is_none());
        }
    }

    fn superseded_at(state: &State, key: &Key, revision: Revision) -> Option<i64> {
        state.locate(key, revision)?.2
    }

    fn steps(state: &State, newest: &Version, until: Revision) -> usize {
        let (mut at, mut steps) = (newest.revision(), 0);
        while at > until {
            let event = state.event(at).unwrap();
            at = if event.jump.to > until && event.jump.to < at { event.jump.to } else { at };
            at = state.event(at).unwrap().previous.as_ref().unwrap().revision();
            steps += 1;
        }
        steps
    }

    #[test]
    fn what_is_taken_back_leaves_the_list_as_it_was() {
        let (mut state, key) = state(10);
        let before = state.by_key.get(&*key).unwrap().clone();
        let revision = Revision { main: 12, sub: 0 };
        state.apply(key.clone(), Version::tombstone(revision));
        assert_eq!(superseded_at(&state, &key, before.revision()), Some(12));
        state.revert(revision);
        assert_eq!((superseded_at(&state, &key, before.revision()), state.versions(&before).count()), (None, 10));
    }
}
