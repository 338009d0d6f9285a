//! Snapshots of a site: a stream that is read from one pinned state without holding writers up, and what is made of it.
//!
//! A snapshot holds every version that is kept, the leases and the accounts. It does not hold who the site is, its peers
//! and its shares: a restored site is a new one to everybody, so it can never continue the history that the original
//! wrote after the snapshot. What was shared is local to it until two admins share it again.

mod format;
mod stream;
mod writer;
pub(crate) use stream::{Chunk, start};
mod reader;
pub use reader::SnapshotError;
pub(crate) use reader::{Summary, open};
mod restore;
pub(crate) use restore::{Restore, restore};

#[cfg(test)]
mod tests;
