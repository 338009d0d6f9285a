//! The process: etcd's API, links between sites, the admin API, the command line.
//!
//! # Invariants
//! - A reply is sent after the store has said that the change is durable, never before.
//! - etcd's error codes and texts live in one file, `etcd::status`.
//!
//! # Not here
//! No evaluation of requests and no merging: those are the store's and the CRDT crate's.

pub mod cli;
pub mod config;

pub(crate) mod clock;
pub(crate) mod paging;

pub mod app;
pub mod telemetry;

pub mod admin;
pub mod tls;

pub mod etcd;
pub mod metrics;
pub mod snapshot;

pub mod collaboration;
pub mod link;
pub mod peer;
pub mod share;

pub mod demo;

pub use cli::run;
