//! One change in the making. Predecessor: `Store`'s requests and `replica`; successor: `sequencer::evaluator`, which
//! appends the record to the log.

use super::{Change, Stored};
use crate::error::RequestError;
use crate::lease;
use crate::log::{Event, EventKind, Record, Table, TableWrite};
use crate::mvcc::{self, Numbers, RangeReply, RangeRequest, Row, State, Version};
use crate::revision::Revision;
use bytes::Bytes;

/// The writer's view of the newest state, durable or not, and the record being built. Made by `Store::commit`.
/// What it writes is seen at once by what it reads, and by nobody else before it is durable.
#[derive(Debug)]
pub struct Commit<'a> {
    state: &'a mut State,
    record: Record,
    /// Versions of `record.events`, for their positions.
    versions: Vec<Version>,
    /// Row handles beside `record.tables`, for their positions.
    rows: Vec<Option<Row>>,
    /// How to take everything back, in order.
    undo: Vec<Undo>,
    /// The revision before this commit.
    base: i64,
    /// The last revision given out; None until the next event takes a new main.
    last: Option<Revision>,
}

#[derive(Debug)]
enum Undo {
    Event(Revision),
    Row { table: Table, key: Bytes, old: Option<Row> },
    Compact { old: i64 },
}

/// What a commit leaves to be appended.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) record: Record,
    pub(super) versions: Vec<Version>,
    pub(super) rows: Vec<Option<Row>>,
    /// Rows that were replaced or deleted, with their keys.
    pub(super) replaced: Vec<(Bytes, Row)>,
    undo: Vec<Undo>,
    base: i64,
}

impl<'a> Commit<'a> {
    pub(super) fn begin(state: &'a mut State) -> Commit<'a> {
        let base = state.revision;
        let (record, versions, rows, undo) = (Record::default(), Vec::new(), Vec::new(), Vec::new());
        Commit { state, record, versions, rows, undo, base, last: None }
    }

    pub(super) fn finish(self) -> Built {
        let replaced = self.undo.iter().filter_map(|undo| match undo {
            Undo::Row { key, old: Some(old), .. } => Some((key.clone(), old.clone())),
            _ => None,
        });
        let replaced = replaced.collect();
        let Commit { record, versions, rows, undo, base, .. } = self;
        Built { record, versions, rows, replaced, undo, base }
    }

    /// The newest main revision, this commit's own included.
    pub fn revision(&self) -> i64 {
        self.state.revision
    }

    /// The compact revision; -1 = nothing compacted.
    pub fn compact_revision(&self) -> i64 {
        self.state.compact_revision
    }

    /// The current version of a key as encoded `mvccpb.KeyValue`; None if it does not exist.
    ///
    /// # Errors
    /// [`RequestError::Unreadable`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, RequestError> {
        self.state.get(key).map(|version| self.state.values.get(version)).transpose()
    }

    /// Whether a key exists: [`Commit::get`] without a look at the value.
    pub fn exists(&self, key: &[u8]) -> bool {
        self.state.get(key).is_some()
    }

    /// The encoded `mvccpb.KeyValue` of a version that a [`Change`] names.
    ///
    /// # Errors
    /// [`RequestError::Unreadable`].
    pub fn read(&self, stored: &Stored) -> Result<Bytes, RequestError> {
        self.state.values.get(&stored.0)
    }

    /// Evaluates a Range against the newest state.
    ///
    /// # Errors
    /// As [`crate::View::range`].
    pub fn range(&self, request: &RangeRequest) -> Result<RangeReply, RequestError> {
        mvcc::range(self.state, request)
    }

    /// Starts the next main revision: later events of this commit belong to it. Without a call, all events belong to
    /// one new revision. A revision that gets no event is not consumed.
    pub fn begin_revision(&mut self) {
        self.last = None;
    }

    /// Writes a version and returns its main revision. `lease` 0 = none. Write a key once a revision.
    ///
    /// # Errors
    /// The key is empty, or the lease unknown ([`RequestError::LeaseNotFound`]).
    pub fn put(&mut self, key: &Bytes, value: &[u8], lease: i64) -> Result<i64, RequestError> {
        if key.is_empty() {
            return Err(RequestError::EmptyKey);
        }
        if lease != 0 && !self.lease_exists(lease) {
            return Err(RequestError::LeaseNotFound);
        }
        let revision = self.next_revision();
        let mut encoded = Bytes::new();
        let version = self.state.apply(key, revision, |previous, jump| {
            let (create_revision, number) = match previous.and_then(Version::live) {
                Some(previous) => (previous.create_revision(), previous.number() + 1),
                None => (revision.main, 1),
            };
            let numbers = Numbers { revision, create_revision, number, lease };
            let (version, kv) = Version::put(key, value, numbers, jump);
            encoded = kv;
            version
        });
        self.note(version, Event { key: key.clone(), revision, kind: EventKind::Put(encoded) });
        Ok(revision.main)
    }

    /// Writes a tombstone; false if the key does not exist (nothing happens then).
    pub fn delete(&mut self, key: &[u8]) -> bool {
        if self.state.get(key).is_none() {
            return false;
        }
        let revision = self.next_revision();
        let version = self.state.apply(key, revision, |_, jump| Version::tombstone(key, revision, jump));
        self.note(version, Event { key: Bytes::copy_from_slice(key), revision, kind: EventKind::Delete });
        true
    }

    /// A row of a table, this commit's writes included.
    pub fn table_get(&self, table: Table, key: &[u8]) -> Option<Bytes> {
        self.state.row(table, key).map(|row| row.value().clone())
    }

    /// Writes a row.
    pub fn table_put(&mut self, table: Table, key: Bytes, value: Bytes) {
        self.set_row(table, key, Some(value));
    }

    /// Deletes a row, if it is there.
    pub fn table_delete(&mut self, table: Table, key: &[u8]) {
        if self.state.row(table, key).is_some() {
            self.set_row(table, Bytes::copy_from_slice(key), None);
        }
    }

    /// All rows whose key starts with `prefix`, in key order.
    pub fn table_scan(&self, table: Table, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.state.rows(table, prefix)
    }

    /// The state as it is now, this commit included.
    pub(crate) fn state(&self) -> &State {
        self.state
    }

    pub(crate) fn lease_exists(&self, id: i64) -> bool {
        self.state.row(Table::Lease, &lease::row_key(id)).is_some()
    }

    /// Marks the store as compacted. The caller has checked the revision.
    pub(super) fn compact(&mut self, revision: i64) {
        self.undo.push(Undo::Compact { old: self.state.compact_revision });
        self.state.compact_revision = revision;
        self.record.compact = Some(revision);
    }

    pub(super) fn has_changes(&self) -> bool {
        !self.record.events.is_empty()
    }

    /// What changed so far, for the emit seam.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let event = |event: &Event| Some((event.key.clone(), self.state.by_revision.get(&event.revision)?));
        let stored = |version: &Version| version.live().cloned().map(Stored);
        self.record
            .events
            .iter()
            .filter_map(event)
            .map(|(key, event)| Change {
                key,
                old: event.previous.as_ref().and_then(stored),
                new: stored(&event.version),
                revision: event.version.revision().main,
                lease: event.version.lease(),
            })
            .collect()
    }

    /// Takes everything back.
    pub(super) fn abandon(self) {
        revert(self.state, self.undo, self.base);
    }

    fn next_revision(&mut self) -> Revision {
        let revision = match self.last {
            Some(Revision { main, sub }) => Revision { main, sub: sub + 1 },
            None => Revision { main: self.state.revision + 1, sub: 0 },
        };
        self.state.revision = revision.main;
        self.last = Some(revision);
        revision
    }

    fn note(&mut self, version: Version, event: Event) {
        self.undo.push(Undo::Event(event.revision));
        self.record.events.push(event);
        self.versions.push(version);
    }

    fn set_row(&mut self, table: Table, key: Bytes, value: Option<Bytes>) {
        let row = value.clone().map(Row::new);
        let old = self.state.set_row(table, &key, row.clone());
        self.undo.push(Undo::Row { table, key: key.clone(), old });
        self.rows.push(row);
        self.record.tables.push(TableWrite { table, key, value });
    }
}

impl Built {
    pub(super) fn is_empty(&self) -> bool {
        self.record == Record::default()
    }

    /// Takes everything back: the log refused the record.
    pub(super) fn abandon(self, state: &mut State) {
        revert(state, self.undo, self.base);
    }
}

fn revert(state: &mut State, undo: Vec<Undo>, base: i64) {
    for step in undo.into_iter().rev() {
        match step {
            Undo::Event(revision) => state.revert(revision),
            Undo::Row { table, key, old } => drop(state.set_row(table, &key, old)),
            Undo::Compact { old } => state.compact_revision = old,
        }
    }
    state.revision = base;
}
