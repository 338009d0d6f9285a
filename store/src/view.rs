//! A pinned, durable state of the store. Readers never take the writer's lock.

use crate::error::RequestError;
use crate::log::Table;
use crate::mvcc::{RangeReply, RangeRequest};
use bytes::Bytes;

/// One published state. Cheap to clone; stays as it is whatever is written or compacted meanwhile.
#[derive(Clone, Debug)]
pub struct View {}

impl View {
    /// The revision of this state.
    pub fn revision(&self) -> i64 {
        todo!()
    }

    /// The compact revision of this state; -1 = nothing compacted.
    pub fn compact_revision(&self) -> i64 {
        todo!()
    }

    /// Evaluates a Range. O(log n + keys returned); the count at an old revision costs the events since then.
    ///
    /// # Errors
    /// Empty key, compacted or future revision.
    pub fn range(&self, _request: &RangeRequest) -> Result<RangeReply, RequestError> {
        todo!()
    }

    /// A row of a table.
    pub fn row(&self, _table: Table, _key: &[u8]) -> Option<Bytes> {
        todo!()
    }

    /// All rows whose key starts with `prefix`, in key order.
    pub fn rows(&self, _table: Table, _prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
        todo!()
    }
}
