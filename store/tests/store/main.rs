//! The store through its door: etcd's semantics, watches, leases, restarts, crashes.
#![allow(clippy::unwrap_used)]

mod common;

mod crash;
mod lease;
mod restart;
mod semantics;
mod watch;
