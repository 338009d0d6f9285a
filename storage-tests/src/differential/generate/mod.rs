//! Random requests. Few keys, few values and few leases, so that requests meet each other's effects; a part of everything is
//! wrong on purpose.

mod generator;
pub use generator::Generator;
mod keys;
mod kv;
mod lease;
mod malformed;
mod txn;
mod watch;
