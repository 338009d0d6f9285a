//! Kubernetes objects as CRDTs.
//!
//! # Invariants
//! - Every function here is pure: the same arguments give the same result on every site, for ever.
//! - Bytes from outside never panic: they decode, or they give an error.
//!
//! # Not here
//! No clock, no randomness, no I/O, no tokio, no tonic, no sled.
#![warn(missing_docs)]

// The tests of this crate share their model with the tests beside it, which know the crate by this name.
#[cfg(test)]
extern crate self as archipel_crdt;

pub mod clock;
pub mod dot;
pub mod key;
pub mod version_vector;

pub mod value;

pub mod schema;

pub mod lens;

pub mod codec;
pub mod object;

pub mod entry;

pub mod conflict;

pub mod share;
