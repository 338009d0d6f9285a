//! The whole state of a site at one moment, as persistent trees: a clone is a snapshot.
//!
//! # Invariants
//! - `compact_revision <= revision`.
//! - `by_key` holds the newest version or tombstone of each key of which any version is kept.
//! - `older` holds every other version that is kept.
//! - `by_revision` holds every event at or above the compact revision (physical compaction may lag behind the mark).
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

/// Key of [`State::older`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OlderKey {
    pub(crate) key: Key,
    pub(crate) revision: Revision,
}

/// An event as watchers see it. Ordered by its revision, which is the version's: the tree needs no key beside it.
#[derive(Clone, Debug)]
pub(crate) struct HistoryEvent {
    pub(crate) key: Key,
    pub(crate) version: Version,
    /// What the key was before, tombstones included. Kept with the event, so that a watcher needs no look-up and a
    /// compaction at the event's own revision does not take its prev_kv away.
    pub(crate) previous: Option<Version>,
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
    pub(crate) older: Tree<OlderKey, Version>,
    pub(crate) by_revision: Tree<HistoryEvent, ()>,
    pub(crate) attached: Tree<Attachment, ()>,
    pub(crate) tables: BTreeMap<Table, Tree<Bytes, Row>>,
    pub(crate) revision: i64,
    /// -1 = nothing compacted, as etcd says it.
    pub(crate) compact_revision: i64,
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
            older: Tree::new(),
            by_revision: Tree::new(),
            attached: Tree::new(),
            tables: BTreeMap::new(),
            revision: Revision::EMPTY_STORE,
            compact_revision: -1,
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

    /// The version of a key that was current at a main revision, tombstones included.
    pub(crate) fn version_at<'a>(&'a self, key: &Key, newest: &'a Version, revision: i64) -> Option<&'a Version> {
        if newest.revision().main <= revision {
            return Some(newest);
        }
        let last = OlderKey { key: key.clone(), revision: Revision { main: revision, sub: i64::MAX } };
        let first = OlderKey { key: key.clone(), revision: Revision::default() };
        self.older.range_back(Bound::Included(&first), Bound::Included(&last)).next().map(|(_, version)| version)
    }

    /// The kept version with exactly this revision.
    pub(crate) fn version(&self, key: &[u8], revision: Revision) -> Option<(&Key, &Version)> {
        let (key, newest) = self.newest(key)?;
        if newest.revision() == revision {
            return Some((key, newest));
        }
        Some((key, self.older.get(&OlderKey { key: key.clone(), revision })?))
    }

    /// The main revision at which a kept version was superseded; None for the newest.
    pub(crate) fn superseded_at(&self, key: &Key, revision: Revision) -> Option<i64> {
        let newest = self.by_key.get(&**key)?;
        if newest.revision() <= revision {
            return None;
        }
        let this = OlderKey { key: key.clone(), revision };
        let last = OlderKey { key: key.clone(), revision: newest.revision() };
        let next = self.older.range(Bound::Excluded(&this), Bound::Excluded(&last)).next();
        Some(next.map_or(newest.revision().main, |(next, _)| next.revision.main))
    }

    /// Makes a version the newest of its key and notes the event.
    pub(crate) fn apply(&mut self, key: Key, version: Version) {
        self.bytes += version.bytes(&key);
        let previous = self.by_key.insert(key.clone(), version.clone());
        if let Some(previous) = &previous {
            self.older.insert(OlderKey { key: key.clone(), revision: previous.revision() }, previous.clone());
        }
        self.reattach(&key, previous.as_ref().map_or(0, Version::lease), version.lease());
        self.by_revision.insert(HistoryEvent { key, version, previous }, ());
    }

    /// Takes back the last [`State::apply`] that was not taken back.
    pub(crate) fn revert(&mut self, revision: Revision) {
        let event = self.by_revision.get_entry(&revision).map(|(event, ())| event.clone());
        self.by_revision.remove(&revision);
        let HistoryEvent { key, version, previous } = event.expect("invariant: what is reverted was applied");
        self.bytes -= version.bytes(&key);
        self.reattach(&key, version.lease(), previous.as_ref().map_or(0, Version::lease));
        match previous {
            Some(previous) => {
                self.older.remove(&OlderKey { key: key.clone(), revision: previous.revision() });
                self.by_key.insert(key, previous);
            }
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
    pub(crate) fn attached_keys(&self) -> impl Iterator<Item = &Bytes> {
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
