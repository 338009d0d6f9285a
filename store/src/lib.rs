//! One site's durable state: etcd's semantics over a commit log that is the truth and an index that can be rebuilt.
//!
//! # Invariants
//! - Nothing is visible before it is durable: no read, no watch event, no reply.
//! - `compact_revision <= current_revision`; both only grow, also over a crash.
//! - The sequencer is the only writer. Remote changes come through the same door as local ones.
//!
//! # Not here
//! No gRPC and no error texts of etcd: those live in `etcd-shim`.
#![warn(missing_docs)]

pub mod config;
pub mod error;
pub mod key_range;
pub mod keyspace;
pub mod limits;
pub mod revision;

pub mod clock;
pub mod disk;

pub mod tree;

pub mod log;

pub mod index;

pub mod inspect;

pub mod lease;
pub mod mvcc;
pub mod replica;
pub mod sequencer;
pub mod watch;

mod checkpoint;
mod cleaning;
mod core;
mod guarded;
mod import;
mod recovery;
mod store;
mod view;

#[cfg(feature = "planted-bugs")]
pub mod planted;
#[cfg(not(feature = "planted-bugs"))]
mod planted;
mod pulse;
mod sync;

pub use config::Config;
pub use guarded::Guarded;
pub use import::Import;
pub use store::{Sizes, Store};
pub use view::View;
