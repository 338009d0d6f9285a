//! One row of a table.

use crate::log::Position;
use crate::sync::{Arc, OnceLock};
use bytes::Bytes;

/// A row's value and its place in the log.
#[derive(Clone, Debug)]
pub(crate) struct Row(Arc<Fields>);

#[derive(Debug)]
struct Fields {
    value: Bytes,
    /// Set when the record was appended, as a version's.
    position: OnceLock<Position>,
}

impl Row {
    pub(crate) fn new(value: Bytes) -> Row {
        Row(Arc::new(Fields { value, position: OnceLock::new() }))
    }

    pub(crate) fn recovered(value: Bytes, position: Position) -> Row {
        Row(Arc::new(Fields { value, position: OnceLock::from(position) }))
    }

    /// Says where the row was appended. Once.
    pub(crate) fn set_position(&self, position: Position) {
        let first = self.0.position.set(position).is_ok();
        debug_assert!(first, "a row is appended once");
    }

    /// Where the value lies; None only before its record is appended.
    pub(crate) fn position(&self) -> Option<Position> {
        self.0.position.get().copied()
    }

    pub(crate) fn value(&self) -> &Bytes {
        &self.0.value
    }

    /// Bytes that the row takes in the log, about.
    pub(crate) fn bytes(&self, key: &[u8]) -> u64 {
        (key.len() + self.0.value.len()) as u64 + ROW_OVERHEAD_BYTES
    }
}

/// Frame, header and index row of a table row, about.
const ROW_OVERHEAD_BYTES: u64 = 48;
