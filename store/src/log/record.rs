//! What one frame of the log holds: one atomic change of the site. Comes from `sequencer`, goes to `log::writer`.

use crate::revision::Revision;
use bytes::Bytes;

/// One atomic change: all of it is recovered after a crash, or none.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// MVCC events in revision order. A merge may hold several main revisions; one key occurs once a revision.
    pub events: Vec<Event>,
    /// Writes to the site's tables (leases, shares, object metadata …) that belong to the same change.
    pub tables: Vec<TableWrite>,
    /// If set, the store is compacted at this revision.
    pub compact: Option<i64>,
    /// Versions that cleaning moved here from an older segment; they change nothing that a reader can see.
    pub moved: Vec<Moved>,
}

/// One MVCC event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The etcd key.
    pub key: Bytes,
    /// Its revision; main is the record's, or one of the record's.
    pub revision: Revision,
    /// Put or delete.
    pub kind: EventKind,
}

/// What an event did to its key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EventKind {
    /// A new version, as the wire form of `mvccpb.KeyValue`: encoded once, copied by every reader.
    Put(Bytes),
    /// A tombstone.
    Delete,
}

/// A version that cleaning copied to the tail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// The version, with its original revision.
    pub event: Event,
    /// The main revision that superseded it, if one had when it was moved: a compaction at or above it drops this
    /// version, even if the superseding event's own segment was cleaned meanwhile.
    pub superseded_at: Option<i64>,
}

/// The site's small tables, beside the keyspace. One byte on disk; numbers are never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Table {
    /// The site itself: identity, incarnation, format.
    Site = 1,
    /// Lease id (8 bytes big endian) → granted TTL.
    Lease = 2,
    /// Peer sites.
    Peer = 3,
    /// Shares and their state.
    Share = 4,
    /// CRDT state of an object of a share.
    Object = 5,
    /// Entries of a share that some member may still need.
    Entry = 6,
    /// Merges that had to drop or combine a concurrent write.
    Conflict = 7,
    /// Users, roles and whether they are asked for.
    Auth = 8,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 8] = [
        Table::Site,
        Table::Lease,
        Table::Peer,
        Table::Share,
        Table::Object,
        Table::Entry,
        Table::Conflict,
        Table::Auth,
    ];

    /// The table with this number on disk.
    pub fn from_byte(byte: u8) -> Option<Table> {
        Table::ALL.into_iter().find(|table| *table as u8 == byte)
    }
}

/// A write to one row of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableWrite {
    /// Which table.
    pub table: Table,
    /// Row key.
    pub key: Bytes,
    /// New value; None deletes the row.
    pub value: Option<Bytes>,
}

/// Where a frame's payload piece lies in the log. Ordered as the log is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// Sequence number of the segment (never reused, unlike its file).
    pub segment: u64,
    /// Byte offset in the segment.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
    /// crc32 of the bytes; 0 for length 0. Whoever reads the place later can tell that it still holds them.
    pub crc: u32,
}
