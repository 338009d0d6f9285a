//! The store through its door: etcd's semantics, watches, leases, restarts.
#![allow(clippy::unwrap_used)]

mod common;

mod damaged;
mod format;
mod lease;
mod restart;
mod semantics;
mod space;
mod watch;
