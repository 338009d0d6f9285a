//! One commit of one site on one share: what travels between sites, and what the share's log holds.
//!
//! # Format
//! Version byte; actor (16 bytes), number; time (8 bytes); dependencies; epoch; operations; crc32. An entry stands by
//! itself: the dependencies are whole, except that the writer's own part is always `n - 1` and is not written.

mod codec;

pub use crate::codec::DecodeError as EntryError;

use crate::clock::Hlc;
use crate::dot::{Dot, Stamp};
use crate::key::ObjectKey;
use crate::object::{Form, LifeInfo, Path, Value};
use crate::version_vector::VersionVector;
use bytes::Bytes;

/// One commit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Which commit of which actor. All writes of the entry carry this dot.
    pub dot: Dot,
    /// When.
    pub hlc: Hlc,
    /// What its writer had seen: the share's version vector before this entry.
    pub deps: VersionVector,
    /// The share's epoch that the writer knew.
    pub epoch: u32,
    /// The changes, one a key.
    pub ops: Vec<KeyOp>,
}

/// A change of one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyOp {
    /// A new life, named by the entry's dot.
    Create {
        /// Which object.
        key: ObjectKey,
        /// What never changes in the life.
        life: LifeInfo,
        /// Its replicated content, taken apart by the writer's schema. [`Form::tree`] gives it as one value.
        form: Form,
    },
    /// A change of one life.
    Patch {
        /// Which object.
        key: ObjectKey,
        /// Which life.
        life: Dot,
        /// What is written, after the deletions.
        set: Vec<(Path, Value)>,
        /// What is deleted.
        del: Vec<Path>,
    },
    /// The end of every life that the writer had seen.
    Delete {
        /// Which object.
        key: ObjectKey,
        /// What becomes of dependents.
        policy: DeletePolicy,
    },
    /// A change of the share itself, opaque here.
    Control(Bytes),
}

/// What a delete means for the objects that the deleted one owns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum DeletePolicy {
    /// They are collected afterwards.
    #[default]
    Background,
    /// They are deleted first (finalizer `foregroundDeletion`).
    Foreground,
    /// They stay (finalizer `orphan`).
    Orphan,
}

/// What a receiver does with an entry, given what it has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    /// Apply it.
    Ready,
    /// It was applied before: drop it.
    Stale,
    /// Something that it depends on is missing: wait.
    Early,
}

impl KeyOp {
    /// The object that changes; None for a control operation.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            KeyOp::Create { key, .. } | KeyOp::Patch { key, .. } | KeyOp::Delete { key, .. } => Some(key),
            KeyOp::Control(_) => None,
        }
    }
}

impl Entry {
    /// The stamp of everything that this entry writes.
    pub fn stamp(&self) -> Stamp {
        Stamp { hlc: self.hlc, dot: self.dot }
    }

    /// Whether a site that has applied `have` may apply this entry now. Causal order: its actor's previous entry and all
    /// dependencies come first.
    pub fn delivery(&self, have: &VersionVector) -> Delivery {
        if have.contains(self.dot) {
            Delivery::Stale
        } else if have.get(self.dot.actor) + 1 == self.dot.n && have.covers(&self.deps) {
            Delivery::Ready
        } else {
            Delivery::Early
        }
    }
}

#[cfg(test)]
mod tests;
