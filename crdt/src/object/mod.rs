//! A Kubernetes object as a CRDT: an observed-remove map of lives, each a tree of multi-value registers and keyed lists.
//!
//! # Invariants
//! - Sites that have seen the same entries hold equal states, and show equal objects.
//! - A write is overwritten only by writes and deletions whose writer had seen it.
//! - Concurrent changes of different places both survive. A delete beats a concurrent change of what it deletes.
//!
//! # Not here
//! Fields that stay local were removed before, and are added again after, by the lens.

mod path;

mod form;

mod patch;

mod sorted;

mod register;

mod node;

mod presence;

mod life;

mod diff;

mod local;

mod apply;

mod write;

mod join;

mod visible;

mod codec;

pub use apply::Outcome;
pub use diff::diff;
pub use form::{Form, Leaf};
pub use join::join;
pub use life::{Life, LifeInfo, Object};
pub use node::{Item, List, Node};
pub use patch::{Patch, Value};
pub use path::{ItemKey, Path, Step};
pub use register::Register;

#[cfg(test)]
mod tests;
