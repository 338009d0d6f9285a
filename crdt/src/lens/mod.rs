//! Which objects travel, and which of their fields.
//!
//! What the apiserver of a site reads is `overlay(local value, replicated content)`; what travels is `project(value)`.
//!
//! # Invariants
//! - `project(overlay(_, r)) == r` for every `r` that a projection gave (I-PROJ), as long as every owner is known.
//! - An overlay keeps every local field of the local value.
//! - A projection has the shape that [`shape`] tells.
//!
//! # Not here
//! Passive projections (mirrors), the allocation of cluster IPs, lenses of custom resources.

mod class;
mod rules;

mod regroup;
mod split;

mod overlay;
mod project;

#[cfg(test)]
mod tests;

pub use class::{Class, classify, may_share};
pub use overlay::{LifeSeed, overlay};
pub use project::{project, restrict, shape};
pub use rules::REPLICATED_RESOURCES;
