//! What the store asks of an index.

use super::row::{self, IndexWrite, Marker, Row, hash_row};
use std::fmt::Debug;
use thiserror::Error;

/// The index could not be written. The log is whole: go on without it, and rebuild it at the next start.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("the index failed: {0}; it will be rebuilt from the commit log at the next start")]
pub struct IndexError(pub String);

/// What an index holds when it is opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IndexState {
    /// All rows were visited and their digest is right: they are the log up to the marker's point. Replay from there.
    Ready(Marker),
    /// It holds nothing to start from (the reason says why). Forget the rows that were visited and replay the log from
    /// its oldest segment; the index is empty now and takes writes.
    Rebuild(String),
}

/// A persistent ordered index over the log, which one thread writes.
pub trait Backend: Send + Sync + Debug {
    /// Visits the marker, then every block in order, then the tables, and checks them against the marker. Never an error:
    /// whatever is missing, undecodable or does not match means [`IndexState::Rebuild`], and empties the index.
    fn load(&self, visit: &mut dyn FnMut(Row<'_>)) -> IndexState;

    /// Begins the index anew: what follows is written to an empty one, which takes the place of what is there now at the
    /// next [`Backend::sync`], in one step. Until then a crash leaves what is there now.
    ///
    /// # Errors
    /// The index cannot be written any more.
    fn begin(&self) -> Result<(), IndexError>;

    /// Applies writes and moves the marker in one atomic step. `marker.digest` and `marker.rows` are computed by the
    /// index; the caller's are ignored. The marker's point must be durable in the log. The writes may be lost at a
    /// crash until [`Backend::sync`], together with the marker and with all later ones.
    ///
    /// # Errors
    /// The index cannot be written any more.
    fn apply(&self, writes: &[IndexWrite], marker: Marker) -> Result<(), IndexError>;

    /// Makes what was applied durable (a checkpoint), and what was begun the index.
    ///
    /// # Errors
    /// The index cannot be written any more.
    fn sync(&self) -> Result<(), IndexError>;

    /// Empties the index, before a rebuild.
    ///
    /// # Errors
    /// The index cannot be written any more.
    fn clear(&self) -> Result<(), IndexError>;

    /// Bytes on disk.
    fn disk_bytes(&self) -> u64;
}

/// Visits rows in their disk form and checks them against the marker: what every index does when it is loaded.
pub(super) fn check<K: AsRef<[u8]>, V: AsRef<[u8]>>(
    marker: Option<Option<Marker>>,
    rows: impl Iterator<Item = Result<(K, V), String>>,
    visit: &mut dyn FnMut(Row<'_>),
) -> IndexState {
    let rebuild = |reason: &str| IndexState::Rebuild(reason.into());
    let Some(marker) = marker else { return rebuild(Marker::NONE_YET) };
    let Some(marker) = marker else { return rebuild("its marker is unreadable") };
    visit(Row::Marker(marker));
    let mut found = Marker::default();
    for row in rows {
        let (key, value) = match row {
            Ok(row) => row,
            Err(error) => return IndexState::Rebuild(format!("it cannot be read: {error}")),
        };
        let (key, value) = (key.as_ref(), value.as_ref());
        found.change(None, Some(hash_row(key, value)));
        if row::visit(&marker, key, value, visit).is_none() {
            return rebuild("a row is unreadable");
        }
    }
    if (found.digest, found.rows) != (marker.digest, marker.rows) {
        return rebuild("its rows do not match its checkpoint");
    }
    IndexState::Ready(marker)
}

impl Marker {
    /// Takes a row's hash out and puts another in.
    pub(super) fn change(&mut self, removed: Option<u64>, added: Option<u64>) {
        if let Some(hash) = removed {
            self.digest = self.digest.wrapping_sub(hash);
            self.rows = self.rows.wrapping_sub(1);
        }
        if let Some(hash) = added {
            self.digest = self.digest.wrapping_add(hash);
            self.rows = self.rows.wrapping_add(1);
        }
    }
}
