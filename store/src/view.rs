//! A pinned, durable state of the store. Readers never take the writer's lock.

use crate::error::RequestError;
use crate::log::Table;
use crate::mvcc::{self, RangeReply, RangeRequest, State};
use crate::sync::Arc;
use crate::watch::{Publication, WatchRequest, Watcher};
use bytes::Bytes;

/// One published state. Cheap to clone; stays as it is whatever is written or compacted meanwhile.
#[derive(Clone, Debug)]
pub struct View(Arc<State>);

impl View {
    pub(crate) fn new(state: Arc<State>) -> View {
        View(state)
    }

    /// The revision of this state.
    pub fn revision(&self) -> i64 {
        self.0.revision
    }

    /// The compact revision of this state; -1 = nothing compacted.
    pub fn compact_revision(&self) -> i64 {
        self.0.compact_revision
    }

    /// Evaluates a Range. O(log n + keys returned); the count at an old revision costs the events since then.
    ///
    /// # Errors
    /// Empty key, compacted or future revision.
    pub fn range(&self, request: &RangeRequest) -> Result<RangeReply, RequestError> {
        mvcc::range(&self.0, request)
    }

    /// The current version of a key as encoded `mvccpb.KeyValue`; None if it does not exist.
    ///
    /// # Errors
    /// [`RequestError::Unreadable`].
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, RequestError> {
        self.0.get(key).map(|version| self.0.values.get(version)).transpose()
    }

    /// A row of a table.
    pub fn row(&self, table: Table, key: &[u8]) -> Option<Bytes> {
        self.0.row(table, key).map(|row| row.value().clone())
    }

    /// All rows whose key starts with `prefix`, in key order.
    pub fn rows(&self, table: Table, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        self.0.rows(table, prefix)
    }

    /// A watcher that sees the history of this state and nothing newer: the way to read it in order, for a snapshot.
    pub fn watch(&self, request: WatchRequest) -> Watcher {
        let pinned = Publication::new(State::clone(&self.0), self.0.revision);
        Watcher::new(Arc::new(pinned), request)
    }

    /// The keys that are attached to a lease, in key order.
    pub fn keys_of_lease(&self, lease: i64) -> Vec<Bytes> {
        self.0.keys_of_lease(lease)
    }

    /// The keys that are attached to any lease, by lease and key.
    pub fn attached_keys(&self) -> Vec<Bytes> {
        self.0.attached_keys().map(Bytes::copy_from_slice).collect()
    }
}
