//! What the index does not know yet.

use crate::log::Table;
use crate::mvcc::Version;
use bytes::Bytes;
use std::collections::BTreeSet;

/// Keys and rows that changed since the last checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dirty {
    /// A version of each key that changed. May name a key more than once: noting one is on the write path, sorting is
    /// not.
    pub(crate) versions: Vec<Version>,
    pub(crate) rows: BTreeSet<(Table, Bytes)>,
    /// The index is empty: everything has to be written.
    pub(crate) all: bool,
}

impl Dirty {
    pub(crate) fn len(&self) -> usize {
        self.versions.len() + self.rows.len()
    }

    /// Adds what was found later.
    pub(crate) fn merge(&mut self, other: Dirty) {
        self.versions.extend(other.versions);
        self.rows.extend(other.rows);
        self.all |= other.all;
    }
}
