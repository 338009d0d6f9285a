//! The commit log: what is true.

mod record;

pub use record::{Event, EventKind, Moved, Position, Record, Table, TableWrite};
