//! What the index does not know yet.

use crate::log::Table;
use crate::mvcc::Key;
use bytes::Bytes;
use std::collections::BTreeSet;

/// Keys and rows that changed since the last checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dirty {
    /// May name a key more than once: noting one is on the write path, sorting is not.
    pub(crate) keys: Vec<Key>,
    pub(crate) rows: BTreeSet<(Table, Bytes)>,
    /// The index is empty: everything has to be written.
    pub(crate) all: bool,
}

impl Dirty {
    pub(crate) fn len(&self) -> usize {
        self.keys.len() + self.rows.len()
    }

    /// Adds what was found later.
    pub(crate) fn merge(&mut self, other: Dirty) {
        self.keys.extend(other.keys);
        self.rows.extend(other.rows);
        self.all |= other.all;
    }
}
