//! One version of a key, without its value: its key and numbers, where the encoded value lies in the log, and the slot of
//! the cache.
//!
//! A version is kept for every key, so its size is the store's memory: 80 bytes, 16 for its count and the key's length,
//! and the key, in one allocation behind a pointer of 8 bytes. The trees, their snapshots, the history and the cache
//! hold that pointer, and nothing else of a version.

use super::key_value::KeyValue;
use crate::log::Position;
use crate::revision::Revision;
use crate::sync::Arc;
use crate::tree::Entry;
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use triomphe::ThinArc;

/// A version or a tombstone: a handle of one pointer, shared by the trees, their snapshots and the cache. Its identity
/// is its revision; its place changes when cleaning moves it, in all snapshots at once.
#[derive(Clone, Debug)]
pub(crate) struct Version(ThinArc<Fields, u8>);

/// What a put says of its version, beside key and value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Numbers {
    pub(crate) revision: Revision,
    /// 0 for a tombstone, as are all that follow.
    pub(crate) create_revision: i64,
    /// etcd's version number: puts since the creation.
    pub(crate) number: i64,
    /// 0 = none.
    pub(crate) lease: i64,
}

/// How the list of a key's versions is walked in O(log n) steps: each version names an older one of its key, at distances
/// that make any of them reachable (E. Myers, An applicative random-access stack, 1983).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Jump {
    /// Versions of the key before this one, as far as they were kept when it was made.
    pub(crate) depth: u32,
    to_sub: u32,
    to_main: i64,
}

impl Jump {
    pub(crate) fn new(depth: u32, to: Revision) -> Jump {
        // A revision with 2^32 changes does not fit a record.
        Jump { depth, to_sub: to.sub as u32, to_main: to.main }
    }

    fn words(self) -> [u64; 2] {
        [u64::from(self.depth) << 32 | u64::from(self.to_sub), self.to_main as u64]
    }

    fn from_words([depth_and_sub, main]: [u64; 2]) -> Jump {
        Jump { depth: (depth_and_sub >> 32) as u32, to_sub: depth_and_sub as u32, to_main: main as i64 }
    }

    /// Where it leads.
    pub(crate) fn to(self) -> Revision {
        Revision { main: self.to_main, sub: i64::from(self.to_sub) }
    }

    /// The jump of a version after `previous`. `jump_of` tells the jump of a version that is kept; without one that is
    /// needed the list begins anew, and what is older is reached one by one.
    pub(crate) fn after(
        previous: Option<&Version>,
        own: Revision,
        jump_of: impl FnOnce(Revision) -> Option<Jump>,
    ) -> Jump {
        let anew = Jump::new(0, own);
        let Some((previous, before)) = previous.map(|previous| (previous, previous.jump())) else { return anew };
        let Some(depth) = before.depth.checked_add(1) else { return anew };
        if depth_of_target(depth) == before.depth {
            return Jump::new(depth, previous.revision());
        }
        match jump_of(before.to()) {
            Some(second) if second.depth == depth_of_target(before.depth) => Jump::new(depth, second.to()),
            _ => anew,
        }
    }
}

/// The depth to which the version at `depth` jumps. The lengths of the jumps are those of the digits of a skew-binary
/// number, so they follow from the depth alone: of depth = a sum of numbers 2^k - 1, the largest ones first, it is the
/// last one.
fn depth_of_target(depth: u32) -> u32 {
    let (mut rest, mut length) = (u64::from(depth), 0);
    while rest > 0 {
        length = (1 << (rest + 1).ilog2()) - 1;
        rest -= length;
    }
    depth - length as u32
}

#[derive(Debug)]
struct Fields {
    numbers: Numbers,
    /// Segment (upper half) and offset of the encoded value; 0 before the record is appended. [`USED`] is set by
    /// whoever finds the value in the cache.
    place: AtomicU64,
    /// Of the encoded value; 0 = tombstone.
    length: u32,
    /// Set with the first place.
    crc: AtomicU32,
    /// The cache's slot. Filled from the start until the version is durable.
    resident: ArcSwapOption<Bytes>,
    /// Depth (upper half) and sub revision, then main revision, of the [`Jump`]. Written only before the version is
    /// shared.
    jump: [AtomicU64; 2],
}

/// No offset has this bit: a segment ends before ([`SEGMENT_BYTES_MAX`](crate::limits::SEGMENT_BYTES_MAX)).
const USED: u64 = 1 << 31;

impl Version {
    fn new(key: &[u8], numbers: Numbers, position: Position, kv: Option<Bytes>, jump: Jump) -> Version {
        let length = kv.as_ref().map_or(position.length, |kv| kv.len() as u32);
        let fields = Fields {
            numbers,
            place: AtomicU64::new(place(position)),
            length,
            crc: AtomicU32::new(position.crc),
            resident: ArcSwapOption::from(kv.map(Arc::new)),
            jump: jump.words().map(AtomicU64::new),
        };
        Version(ThinArc::from_header_and_slice(fields, key))
    }

    /// A version with its encoded `KeyValue`; the revision's main part becomes `mod_revision`.
    pub(crate) fn put(key: &[u8], value: &[u8], numbers: Numbers, jump: Jump) -> (Version, Bytes) {
        let Numbers { revision, create_revision, number, lease } = numbers;
        let kv = KeyValue { key, create_revision, mod_revision: revision.main, version: number, value, lease }.encode();
        (Version::new(key, numbers, Position::default(), Some(kv.clone()), jump), kv)
    }

    pub(crate) fn tombstone(key: &[u8], revision: Revision, jump: Jump) -> Version {
        Version::new(key, Numbers { revision, ..Numbers::default() }, Position::default(), None, jump)
    }

    /// A version that the log holds at a position of length 0 (a tombstone) or more. Its jump is still to be set.
    pub(crate) fn stored(key: &[u8], numbers: Numbers, position: Position) -> Version {
        Version::new(key, numbers, position, None, Jump::default())
    }

    /// A version that the log was found to hold. None if the bytes are no `KeyValue`.
    pub(crate) fn recovered(key: &[u8], revision: Revision, kv: Option<&Bytes>, position: Position) -> Option<Version> {
        let KeyValue { create_revision, version: number, lease, .. } = match kv {
            Some(kv) => KeyValue::decode(kv).ok()?,
            None => KeyValue::default(),
        };
        Some(Version::stored(key, Numbers { revision, create_revision, number, lease }, position))
    }

    fn fields(&self) -> &Fields {
        &self.0.header.header
    }

    /// The key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.0.slice
    }

    pub(crate) fn jump(&self) -> Jump {
        let [depth_and_sub, main] = &self.fields().jump;
        Jump::from_words([depth_and_sub.load(Ordering::Relaxed), main.load(Ordering::Relaxed)])
    }

    /// Only before the version is shared.
    pub(crate) fn set_jump(&self, jump: Jump) {
        for (slot, word) in self.fields().jump.iter().zip(jump.words()) {
            slot.store(word, Ordering::Relaxed);
        }
    }

    /// Says where the version lies, at first or after cleaning moved it; the bytes there are durable, or resident.
    pub(crate) fn set_position(&self, position: Position) {
        debug_assert_eq!(self.fields().length, position.length, "a version keeps its bytes");
        self.fields().crc.store(position.crc, Ordering::Relaxed);
        self.fields().place.store(place(position), Ordering::Release);
    }

    /// Where the version lies; None only before its record is appended.
    pub(crate) fn position(&self) -> Option<Position> {
        let place = self.fields().place.load(Ordering::Acquire) & !USED;
        let (segment, offset) = (place >> 32, place as u32);
        let crc = self.fields().crc.load(Ordering::Relaxed);
        (place != 0).then_some(Position { segment, offset, length: self.fields().length, crc })
    }

    pub(crate) fn revision(&self) -> Revision {
        self.fields().numbers.revision
    }

    pub(crate) fn revision_ref(&self) -> &Revision {
        &self.fields().numbers.revision
    }

    pub(crate) fn create_revision(&self) -> i64 {
        self.fields().numbers.create_revision
    }

    /// etcd's version number: puts since the creation.
    pub(crate) fn number(&self) -> i64 {
        self.fields().numbers.number
    }

    /// 0 = none.
    pub(crate) fn lease(&self) -> i64 {
        self.fields().numbers.lease
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.fields().length == 0
    }

    /// Itself, unless it is a tombstone.
    pub(crate) fn live(&self) -> Option<&Version> {
        (!self.is_tombstone()).then_some(self)
    }

    /// Length of the encoded `KeyValue`; 0 for a tombstone.
    pub(crate) fn length(&self) -> u32 {
        self.fields().length
    }

    /// The encoded `KeyValue` without its value, for keys_only requests: needs nothing from the disk.
    pub(crate) fn encode_without_value(&self, with_lease: bool) -> Bytes {
        let (key, Numbers { revision, create_revision, number, lease }) = (self.key(), self.fields().numbers);
        let lease = if with_lease { lease } else { 0 };
        KeyValue { key, create_revision, mod_revision: revision.main, version: number, value: &[], lease }.encode()
    }

    /// The encoded `KeyValue`, if it is in memory.
    pub(crate) fn resident(&self) -> Option<Bytes> {
        let resident = self.fields().resident.load();
        let kv = resident.as_deref()?.clone();
        // Looked at first: a shared cache line is written once in a round of the cache, not once a read.
        if self.fields().place.load(Ordering::Relaxed) & USED == 0 {
            self.fields().place.fetch_or(USED, Ordering::Relaxed);
        }
        Some(kv)
    }

    pub(super) fn is_resident(&self) -> bool {
        self.fields().resident.load().is_some()
    }

    pub(super) fn set_resident(&self, kv: Option<Bytes>) {
        self.fields().resident.store(kv.map(Arc::new));
    }

    /// Whether the value was read since this was asked last.
    pub(super) fn take_used(&self) -> bool {
        self.fields().place.fetch_and(!USED, Ordering::Relaxed) & USED != 0
    }

    /// Bytes that the version takes in the log, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.key().len() as u64 + u64::from(self.fields().length) + VERSION_OVERHEAD_BYTES
    }
}

fn place(position: Position) -> u64 {
    debug_assert!(position.segment <= u64::from(u32::MAX), "a log has less than 2^32 segments");
    position.segment << 32 | u64::from(position.offset)
}

/// Frame, event header and index row of a version, about.
const VERSION_OVERHEAD_BYTES: u64 = 64;

/// Only live versions are counted, so the tree by key counts live keys.
impl Entry for Version {
    type Key = [u8];
    type Separator = Arc<[u8]>;

    fn key(&self) -> &[u8] {
        self.key()
    }

    fn separator(&self) -> Arc<[u8]> {
        Arc::from(self.key())
    }

    fn weight(&self) -> u64 {
        u64::from(!self.is_tombstone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_80_bytes_and_knows_its_place() {
        assert_eq!((size_of::<Fields>(), size_of::<Option<Version>>()), (80, 8));
        let numbers = Numbers { revision: Revision { main: 7, sub: 0 }, create_revision: 3, number: 2, lease: 5 };
        let (version, kv) = Version::put(b"k", b"v", numbers, Jump::default());
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
        let keys_only = version.encode_without_value(true);
        let decoded = KeyValue::decode(&keys_only).unwrap();
        assert_eq!((decoded.key, decoded.mod_revision, decoded.value), (&b"k"[..], 7, &b""[..]));
    }

    /// Myers' rule, which builds the jumps one after the other, against the closed form.
    #[test]
    fn a_jump_follows_from_the_depth() {
        let mut targets = vec![0_u32];
        for depth in 1..5_000_u32 {
            let of = |depth: u32| targets[depth as usize];
            let (before, first) = (depth - 1, of(depth - 1));
            let target = if before - first == first - of(first) { of(first) } else { before };
            assert_eq!(depth_of_target(depth), target, "{depth}");
            targets.push(target);
        }
        assert!(depth_of_target(u32::MAX) < u32::MAX);
        let jump = Jump::new(u32::MAX, Revision { main: i64::MAX, sub: 77 });
        assert_eq!((Jump::from_words(jump.words()), jump.to()), (jump, Revision { main: i64::MAX, sub: 77 }));
    }
}
