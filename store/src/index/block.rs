//! Blocks: sorted keys with their versions, many in one row of the index.
//!
//! A row for each key would make a start slow: the index engine hands out some 0.3 million rows a second. A block holds
//! up to [`BLOCK_KEYS`](crate::limits::BLOCK_KEYS) keys, each without what it shares with the key before.
//!
//! ```text
//! block     = each key: varint shared with the key before · varint length of the rest · the rest ·
//!             varint count of versions, each, oldest first: version
//! version   = varint main · varint sub · varint main - create_revision · varint number · varint lease ·
//!             varint segment · varint offset · varint length · for a length that is not 0: crc32 (4)
//! ```
//!
//! A tombstone has length 0 and the place where it is written, for the accounting. A key without versions is gone.

use super::bytes::{Reader, put_varint};
use crate::log::Position;
use crate::revision::Revision;

/// One version of a key, without its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRow {
    /// Its revision.
    pub revision: Revision,
    /// Revision at which the key was created; 0 for a tombstone.
    pub create_revision: i64,
    /// Version since then, from 1; 0 for a tombstone.
    pub number: i64,
    /// The lease it is attached to; 0 for none.
    pub lease: i64,
    /// Where its encoded `KeyValue` lies; a tombstone has length 0.
    pub position: Position,
}

/// Builds one block.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    last: Vec<u8>,
    keys: usize,
}

impl Block {
    /// Adds a key above all that are in the block, with the versions that it has now, oldest first.
    pub fn push(&mut self, key: &[u8], versions: impl ExactSizeIterator<Item = VersionRow>) {
        let shared = self.last.iter().zip(key).take_while(|(a, b)| a == b).count();
        let rest = key.get(shared..).unwrap_or_default();
        put_varint(&mut self.bytes, shared as u64);
        put_varint(&mut self.bytes, rest.len() as u64);
        self.bytes.extend_from_slice(rest);
        put_varint(&mut self.bytes, versions.len() as u64);
        versions.for_each(|version| encode(&mut self.bytes, version));
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.keys += 1;
    }

    /// How many keys it holds.
    pub fn keys(&self) -> usize {
        self.keys
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Visits a block's keys in order, each version by itself; a key that is gone is visited once, with None. None if the
/// bytes are no block: some of it may have been visited then.
pub(super) fn visit(bytes: &[u8], visit: &mut dyn FnMut(&[u8], Option<VersionRow>)) -> Option<()> {
    let mut from = Reader(bytes);
    let mut key = Vec::new();
    while !from.0.is_empty() {
        let shared = usize::try_from(from.varint()?).ok().filter(|shared| *shared <= key.len())?;
        let rest = from.varint()?;
        key.truncate(shared);
        key.extend_from_slice(from.take(rest)?);
        let versions = from.varint()?;
        if versions == 0 {
            visit(&key, None);
        }
        for _ in 0..versions {
            visit(&key, Some(decode(&mut from)?));
        }
    }
    Some(())
}

fn encode(out: &mut Vec<u8>, version: VersionRow) {
    let VersionRow { revision, create_revision, number, lease, position } = version;
    put_varint(out, revision.main as u64);
    put_varint(out, revision.sub as u64);
    put_varint(out, revision.main.wrapping_sub(create_revision) as u64);
    put_varint(out, number as u64);
    // Lease ids are positive, but a client may choose any; as unsigned they keep all bits.
    put_varint(out, lease as u64);
    put_position(out, position);
}

fn decode(from: &mut Reader<'_>) -> Option<VersionRow> {
    let revision = Revision { main: from.varint()? as i64, sub: from.varint()? as i64 };
    Some(VersionRow {
        revision,
        create_revision: revision.main.wrapping_sub(from.varint()? as i64),
        number: from.varint()? as i64,
        lease: from.varint()? as i64,
        position: take_position(from)?,
    })
}

pub(super) fn put_position(out: &mut Vec<u8>, position: Position) {
    put_varint(out, position.segment);
    put_varint(out, u64::from(position.offset));
    put_varint(out, u64::from(position.length));
    if position.length != 0 {
        out.extend_from_slice(&position.crc.to_le_bytes());
    }
}

pub(super) fn take_position(from: &mut Reader<'_>) -> Option<Position> {
    let (segment, offset, length) = (from.varint()?, from.u32()?, from.u32()?);
    let crc = if length == 0 { 0 } else { u32::from_le_bytes(from.take(4)?.try_into().ok()?) };
    Some(Position { segment, offset, length, crc })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(main: i64, length: u32) -> VersionRow {
        VersionRow {
            revision: Revision { main, sub: 3 },
            create_revision: if length == 0 { 0 } else { 2 },
            number: 7,
            lease: -5,
            position: Position { segment: 9, offset: 4096, length, crc: if length == 0 { 0 } else { u32::MAX } },
        }
    }

    fn contents(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Option<VersionRow>)>> {
        let mut found = Vec::new();
        visit(bytes, &mut |key, version| found.push((key.to_vec(), version)))?;
        Some(found)
    }

    #[test]
    fn a_block_comes_back_and_no_cut_of_it_does() {
        let mut block = Block::default();
        block.push(b"/registry/pods/a", [version(5, 77), version(i64::MAX, 0)].into_iter());
        block.push(b"/registry/pods/ab", [].into_iter());
        block.push(b"/registry/x", [version(6, 1)].into_iter());
        let expected = [
            (b"/registry/pods/a".to_vec(), Some(version(5, 77))),
            (b"/registry/pods/a".to_vec(), Some(version(i64::MAX, 0))),
            (b"/registry/pods/ab".to_vec(), None),
            (b"/registry/x".to_vec(), Some(version(6, 1))),
        ];
        assert_eq!((block.keys(), contents(block.bytes()).as_deref()), (3, Some(&expected[..])));
        for end in 0..block.bytes().len() {
            let cut = contents(&block.bytes()[..end]);
            assert!(cut.is_none_or(|cut| cut.len() < expected.len()), "cut at {end}");
        }
    }
}
