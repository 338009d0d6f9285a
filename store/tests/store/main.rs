//! The store through its door: etcd's semantics, watches, leases, restarts, crashes.
#![allow(clippy::unwrap_used)]

#[expect(dead_code, reason = "the watch tests that use it come with the next change")]
mod common;

mod crash;
mod lease;
mod restart;
mod semantics;
mod watch;
