//! One change in the making. Predecessor: `Store`'s requests and `replica`; successor: the log's appender.

use crate::error::RequestError;
use crate::log::Table;
use crate::mvcc::{RangeReply, RangeRequest};
use bytes::Bytes;
use std::marker::PhantomData;

/// The writer's view of the newest state, durable or not, and the record being built. Made by `Store::commit`.
/// What it writes is seen at once by what it reads, and by nobody else before it is durable.
#[derive(Debug)]
pub struct Commit<'a> {
    lock: PhantomData<&'a ()>,
}

impl Commit<'_> {
    /// The newest main revision, this commit's own included.
    pub fn revision(&self) -> i64 {
        todo!()
    }

    /// The compact revision; -1 = nothing compacted.
    pub fn compact_revision(&self) -> i64 {
        todo!()
    }

    /// The current version of a key as encoded `mvccpb.KeyValue`; None if it does not exist.
    pub fn get(&self, _key: &[u8]) -> Option<Bytes> {
        todo!()
    }

    /// Evaluates a Range against the newest state.
    ///
    /// # Errors
    /// As [`crate::View::range`].
    pub fn range(&self, _request: &RangeRequest) -> Result<RangeReply, RequestError> {
        todo!()
    }

    /// Starts the next main revision: later events of this commit belong to it. Without a call, all events belong to
    /// one new revision. A revision that gets no event is not consumed.
    pub fn begin_revision(&mut self) {
        todo!()
    }

    /// Writes a version and returns its main revision. `lease` 0 = none; it must exist otherwise (a lease that does
    /// not is [`RequestError::LeaseNotFound`]). A key can be written once a revision.
    ///
    /// # Errors
    /// The key is empty or the lease unknown.
    pub fn put(&mut self, _key: &Bytes, _value: &[u8], _lease: i64) -> Result<i64, RequestError> {
        todo!()
    }

    /// Writes a tombstone; false if the key does not exist (nothing happens then).
    pub fn delete(&mut self, _key: &[u8]) -> bool {
        todo!()
    }

    /// A row of a table, this commit's writes included.
    pub fn table_get(&self, _table: Table, _key: &[u8]) -> Option<Bytes> {
        todo!()
    }

    /// Writes a row.
    pub fn table_put(&mut self, _table: Table, _key: Bytes, _value: Bytes) {
        todo!()
    }

    /// Deletes a row, if it is there.
    pub fn table_delete(&mut self, _table: Table, _key: &[u8]) {
        todo!()
    }

    /// All rows whose key starts with `prefix`, in key order.
    pub fn table_scan(&self, _table: Table, _prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        todo!()
    }
}
