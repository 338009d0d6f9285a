//! The bytes of a snapshot.
//!
//! ```text
//! snapshot = magic (8 bytes: ARCHSNAP) · format (u32) · frames · zeros up to a multiple of 512 · SHA-256 of all before
//! frame    = kind (u8, not 0) · length (u32) · payload
//!   1 header    JSON: what the snapshot is of; first, once
//!   2 version   mvccpb.KeyValue: live at the compact revision and written before it; in key order
//!   3 put       mvccpb.KeyValue: an event from the compact revision on; in the order of revisions
//!   4 delete    mvccpb.KeyValue with key and mod_revision: likewise
//!   5 row       table (u8) · key length (u32) · key · value: a row of a table that belongs to any copy of the site
//!   6 end       JSON: how many of each; last, once
//! ```
//!
//! Integers are big endian. Without a compaction all versions are events from revision 2 on. `etcdctl snapshot save`
//! takes what ends in a digest behind a multiple of 512 bytes.

use archipel_store::log::Table;
use bytes::{BufMut, BytesMut};
use serde::{Deserialize, Serialize};

/// The first bytes.
pub(super) const MAGIC: &[u8; 8] = b"ARCHSNAP";
/// The format that is written, and the newest one that is read.
pub(super) const FORMAT: u32 = 1;
/// Bytes of magic and format.
pub(super) const PREAMBLE_BYTES: usize = 12;
/// Bytes of kind and length.
pub(super) const FRAME_HEAD_BYTES: usize = 5;
/// The digest comes behind a multiple of this.
pub(super) const ALIGNMENT: u64 = 512;
/// Bytes of the digest.
pub(super) const DIGEST_BYTES: u64 = 32;
/// Largest payload that is read: a version is at most a request, and requests are far smaller.
pub(super) const PAYLOAD_BYTES_MAX: u32 = 64 << 20;
/// Tables that belong to any copy of the site.
pub(super) const TABLES: &[Table] = &[Table::Lease, Table::Auth];

/// Kind of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Kind {
    Header = 1,
    Version = 2,
    Put = 3,
    Delete = 4,
    Row = 5,
    End = 6,
}

impl Kind {
    pub(super) fn from_byte(byte: u8) -> Option<Kind> {
        let all = [Kind::Header, Kind::Version, Kind::Put, Kind::Delete, Kind::Row, Kind::End];
        all.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What a snapshot is of. Fields are added, never renamed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The site's name.
    pub(crate) site: String,
    /// Its id.
    pub(crate) site_id: String,
    /// The release that wrote it.
    pub(crate) archipel_version: String,
    /// The etcd release whose interface that one served.
    pub(crate) etcd_version: String,
    /// When, in milliseconds of Unix time.
    pub(crate) created_unix_ms: u64,
    /// The store's revision.
    pub(crate) revision: i64,
    /// Its compact revision; -1 = nothing was compacted.
    pub(crate) compact_revision: i64,
    /// Live keys.
    pub(crate) keys: i64,
}

/// How much a snapshot holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Versions from before the compact revision.
    pub(crate) versions: u64,
    /// Events.
    pub(crate) events: u64,
    /// Rows of tables.
    pub(crate) rows: u64,
}

/// Appends a frame.
pub(super) fn put_frame(out: &mut BytesMut, kind: Kind, payload: &[&[u8]]) {
    let length: usize = payload.iter().map(|part| part.len()).sum();
    out.put_u8(kind as u8);
    // A payload is a version or a row, and those are far below the bound of a frame.
    out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    payload.iter().for_each(|part| out.put_slice(part));
}
