//! A multi-value register: concurrent writes are kept as siblings, the one with the greatest stamp is shown.

use crate::dot::Stamp;
use crate::version_vector::VersionVector;

/// Values with the stamps of their writes, in stamp order. More than one means that they were written concurrently.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Register<T> {
    siblings: Vec<(Stamp, T)>,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self { siblings: Vec::new() }
    }
}

impl<T> Register<T> {
    /// True if nothing was written, or all of it was overwritten or deleted.
    pub fn is_empty(&self) -> bool {
        self.siblings.is_empty()
    }

    /// The shown value: the greatest stamp's.
    pub fn winner(&self) -> Option<&(Stamp, T)> {
        self.siblings.last()
    }

    /// All values, ascending by stamp.
    pub fn siblings(&self) -> &[(Stamp, T)] {
        &self.siblings
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(Stamp) -> bool) {
        self.siblings.retain(|(stamp, _)| keep(*stamp));
    }

    /// Adds a value. The same write again changes nothing.
    pub(super) fn insert(&mut self, stamp: Stamp, value: T) {
        if let Err(at) = self.siblings.binary_search_by_key(&stamp, |(s, _)| *s) {
            self.siblings.insert(at, (stamp, value));
        }
    }
}

impl<T: Clone> Register<T> {
    /// A write stays if both sides have it, or if one has it and the other has never seen it.
    pub(super) fn join(&self, seen: &VersionVector, other: &Self, other_seen: &VersionVector) -> Self {
        let mut out = Self::default();
        for (stamp, value) in &self.siblings {
            if !other_seen.contains(stamp.dot) || other.siblings.iter().any(|(s, _)| s == stamp) {
                out.insert(*stamp, value.clone());
            }
        }
        for (stamp, value) in &other.siblings {
            if !seen.contains(stamp.dot) {
                out.insert(*stamp, value.clone());
            }
        }
        out
    }
}
