//! One version of a key, without its value: where the encoded value lies in the log, and the slot of the cache.
//!
//! A version is kept for every key, so its size is the store's memory: 64 bytes and the counts of its pointer.

use super::key_value::KeyValue;
use crate::log::Position;
use crate::revision::Revision;
use crate::sync::Arc;
use crate::tree::Weight;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A key object, shared by the trees and the history.
pub(crate) type Key = Arc<[u8]>;

/// A version or a tombstone: a handle of one pointer, shared by the trees, their snapshots and the cache. Its identity
/// is its revision; its place changes when cleaning moves it, in all snapshots at once.
#[derive(Clone, Debug)]
pub(crate) struct Version(Arc<Fields>);

#[derive(Debug)]
struct Fields {
    revision: Revision,
    create_revision: i64,
    number: i64,
    lease: i64,
    /// Segment (upper half) and offset of the encoded value; 0 before the record is appended. [`USED`] is set by
    /// whoever finds the value in the cache.
    place: AtomicU64,
    /// Of the encoded value; 0 = tombstone.
    length: u32,
    /// Set with the first place.
    crc: AtomicU32,
    /// The cache's slot. Filled from the start until the version is durable.
    resident: ArcSwapOption<Bytes>,
}

/// No offset has this bit: a segment ends before ([`SEGMENT_BYTES_MAX`](crate::limits::SEGMENT_BYTES_MAX)).
const USED: u64 = 1 << 31;

impl Version {
    /// A version from its fields, with its encoded `KeyValue`; the revision's main part becomes `mod_revision`.
    pub(crate) fn put(
        key: &[u8],
        value: &[u8],
        revision: Revision,
        create_revision: i64,
        number: i64,
        lease: i64,
    ) -> (Version, Bytes) {
        let kv = KeyValue { key, create_revision, mod_revision: revision.main, version: number, value, lease }.encode();
        let version = Version(Arc::new(Fields {
            revision,
            create_revision,
            number,
            lease,
            place: AtomicU64::new(0),
            length: kv.len() as u32,
            crc: AtomicU32::new(0),
            resident: ArcSwapOption::from_pointee(kv.clone()),
        }));
        (version, kv)
    }

    pub(crate) fn tombstone(revision: Revision) -> Version {
        Version::stored(revision, 0, 0, 0, Position::default())
    }

    /// A version that the log holds at a position of length 0 (a tombstone) or more.
    pub(crate) fn stored(
        revision: Revision,
        create_revision: i64,
        number: i64,
        lease: i64,
        position: Position,
    ) -> Version {
        Version(Arc::new(Fields {
            revision,
            create_revision,
            number,
            lease,
            place: AtomicU64::new(place(position)),
            length: position.length,
            crc: AtomicU32::new(position.crc),
            resident: ArcSwapOption::empty(),
        }))
    }

    /// A version that the log was found to hold. None if the bytes are no `KeyValue`.
    pub(crate) fn recovered(revision: Revision, kv: Option<&Bytes>, position: Position) -> Option<Version> {
        let decoded = match kv {
            Some(kv) => KeyValue::decode(kv).ok()?,
            None => KeyValue::default(),
        };
        Some(Version::stored(revision, decoded.create_revision, decoded.version, decoded.lease, position))
    }

    /// Says where the version lies, at first or after cleaning moved it; the bytes there are durable, or resident.
    pub(crate) fn set_position(&self, position: Position) {
        debug_assert_eq!(self.0.length, position.length, "a version keeps its bytes");
        self.0.crc.store(position.crc, Ordering::Relaxed);
        self.0.place.store(place(position), Ordering::Release);
    }

    /// Where the version lies; None only before its record is appended.
    pub(crate) fn position(&self) -> Option<Position> {
        let place = self.0.place.load(Ordering::Acquire) & !USED;
        let (segment, offset) = (place >> 32, place as u32);
        let crc = self.0.crc.load(Ordering::Relaxed);
        (place != 0).then_some(Position { segment, offset, length: self.0.length, crc })
    }

    pub(crate) fn revision(&self) -> Revision {
        self.0.revision
    }

    pub(crate) fn revision_ref(&self) -> &Revision {
        &self.0.revision
    }

    pub(crate) fn create_revision(&self) -> i64 {
        self.0.create_revision
    }

    /// etcd's version number: puts since the creation.
    pub(crate) fn number(&self) -> i64 {
        self.0.number
    }

    /// 0 = none.
    pub(crate) fn lease(&self) -> i64 {
        self.0.lease
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.0.length == 0
    }

    /// Itself, unless it is a tombstone.
    pub(crate) fn live(&self) -> Option<&Version> {
        (!self.is_tombstone()).then_some(self)
    }

    /// Length of the encoded `KeyValue`; 0 for a tombstone.
    pub(crate) fn length(&self) -> u32 {
        self.0.length
    }

    /// The encoded `KeyValue` without its value, for keys_only requests: needs nothing from the disk.
    pub(crate) fn encode_without_value(&self, key: &[u8], with_lease: bool) -> Bytes {
        let Fields { revision, create_revision, number, lease, .. } = *self.0;
        let lease = if with_lease { lease } else { 0 };
        KeyValue { key, create_revision, mod_revision: revision.main, version: number, value: &[], lease }.encode()
    }

    /// The encoded `KeyValue`, if it is in memory.
    pub(crate) fn resident(&self) -> Option<Bytes> {
        let resident = self.0.resident.load();
        let kv = resident.as_deref()?.clone();
        // Looked at first: a shared cache line is written once in a round of the cache, not once a read.
        if self.0.place.load(Ordering::Relaxed) & USED == 0 {
            self.0.place.fetch_or(USED, Ordering::Relaxed);
        }
        Some(kv)
    }

    pub(super) fn is_resident(&self) -> bool {
        self.0.resident.load().is_some()
    }

    pub(super) fn set_resident(&self, kv: Option<Bytes>) {
        self.0.resident.store(kv.map(Arc::new));
    }

    /// Whether the value was read since this was asked last.
    pub(super) fn take_used(&self) -> bool {
        self.0.place.fetch_and(!USED, Ordering::Relaxed) & USED != 0
    }

    /// Bytes that the version takes in the log, about.
    pub(crate) fn bytes(&self, key: &[u8]) -> u64 {
        key.len() as u64 + u64::from(self.0.length) + VERSION_OVERHEAD_BYTES
    }
}

fn place(position: Position) -> u64 {
    debug_assert!(position.segment <= u64::from(u32::MAX), "a log has less than 2^32 segments");
    position.segment << 32 | u64::from(position.offset)
}

/// Frame, event header and index row of a version, about.
const VERSION_OVERHEAD_BYTES: u64 = 64;

/// Only live versions are counted, so the tree by key counts live keys.
impl Weight for Version {
    fn weight(&self) -> u64 {
        u64::from(!self.is_tombstone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_64_bytes_and_knows_its_place() {
        assert_eq!(size_of::<Fields>(), 64);
        let (version, kv) = Version::put(b"k", b"v", Revision { main: 7, sub: 0 }, 3, 2, 5);
        assert_eq!((version.position(), version.resident()), (None, Some(kv.clone())));
        let length = kv.len() as u32;
        let position = Position { segment: 9, offset: (1 << 30) + 8, length, crc: 77 };
        version.set_position(position);
        assert!(version.take_used() || version.resident().is_some());
        assert_eq!(version.position(), Some(position));
        assert!(version.take_used() && !version.take_used());
        assert_eq!(version.position(), Some(position));
        let moved = Position { segment: 10, offset: 64, ..position };
        version.set_position(moved);
        assert_eq!(version.position(), Some(moved));
        let keys_only = version.encode_without_value(b"k", true);
        let decoded = KeyValue::decode(&keys_only).unwrap();
        assert_eq!((decoded.key, decoded.mod_revision, decoded.value), (&b"k"[..], 7, &b""[..]));
    }
}
