//! The index's rows and their form on disk.
//!
//! ```text
//! row key    = 0 (the marker)   or  1 · generation (4, big endian) · number (4, big endian)   or  2 · table · row key
//! block row  = see `block`
//! table row  = position · (0, or 1 · the value)
//! position   = varint segment · varint offset · varint length · for a length that is not 0: crc32 (4)
//! marker     = format (1) · varint segment · varint offset · varint revision · varint compact_revision ·
//!              varint generation · varint blocks · varint base_keys · varint delta_keys · digest (8) · varint rows
//! ```
//!
//! # Generations
//! A generation begins with the blocks of all keys, in order. Each later checkpoint adds blocks of the keys that changed
//! since, so that what is written is proportional to what changed, wherever it lies: for a key the last block that names
//! it counts. When the additions outweigh the beginning, the next checkpoint begins a new generation. The marker says
//! which generation and how many of its blocks count; any other block is what an interrupted checkpoint left.

use super::block::{Block, put_position, take_position};
use super::bytes::{Reader, put_varint};
use crate::log::{LogPoint, Position, Table};
use bytes::Bytes;

/// Version of everything that this room writes.
const INDEX_FORMAT: u8 = 2;

/// Where a block stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct BlockId {
    /// Which rewriting of the whole index it belongs to.
    pub generation: u32,
    /// Its place there.
    pub number: u32,
}

/// A row of one of the site's tables.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableRow {
    /// Where its value lies in the log.
    pub position: Position,
    /// The value itself, if it is at most [`TABLE_INLINE_BYTES_MAX`](crate::limits::TABLE_INLINE_BYTES_MAX).
    pub value: Option<Bytes>,
}

/// What a load visits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Row<'a> {
    /// The first visit: up to where the rows that follow hold the log, if their digest turns out right.
    Marker(Marker),
    /// One version of an etcd key, or the news that the key has none any more. Keys come in order inside a block, the
    /// versions of a key one after the other, oldest first.
    Version {
        /// The block's number.
        block: u32,
        /// The etcd key.
        key: &'a [u8],
        /// The version.
        version: Option<super::VersionRow>,
    },
    /// A block that does not count.
    Stale(BlockId),
    /// A row of a table.
    Table {
        /// Which table.
        table: Table,
        /// Row key.
        key: &'a [u8],
        /// Where its value lies in the log.
        position: Position,
        /// The value itself, if it is kept in the index.
        value: Option<&'a [u8]>,
    },
}

/// What an index is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IndexWrite {
    /// A block; None removes it.
    Block {
        /// Its place.
        id: BlockId,
        /// Its keys.
        block: Option<Block>,
    },
    /// The value that a row has now; None removes it.
    Table {
        /// Which table.
        table: Table,
        /// Row key.
        key: Bytes,
        /// Its value and place.
        row: Option<TableRow>,
    },
}

/// Up to where an index holds the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marker {
    /// Records before this point are in the index, those behind it are not.
    pub point: LogPoint,
    /// The store's revision there.
    pub revision: i64,
    /// The store's compact revision there.
    pub compact_revision: i64,
    /// The generation whose blocks count.
    pub generation: u32,
    /// Its blocks below this number count.
    pub blocks: u32,
    /// Keys in the blocks with which the generation began.
    pub base_keys: u64,
    /// Keys in the blocks that were added since.
    pub delta_keys: u64,
    /// Sum of the hashes of all rows: independent of order, so that it is kept row by row.
    pub digest: u64,
    /// Number of rows.
    pub rows: u64,
}

const MARKER: u8 = 0;
const BLOCK: u8 = 1;
const TABLE: u8 = 2;

/// Where the marker is kept.
pub(super) const MARKER_KEY: &[u8] = &[MARKER];

impl IndexWrite {
    /// The row in its form on disk; no value removes it.
    pub(super) fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        match self {
            IndexWrite::Block { id, block } => {
                let key = [&[BLOCK][..], &id.generation.to_be_bytes(), &id.number.to_be_bytes()].concat();
                (key, block.as_ref().map(|block| block.bytes().to_vec()))
            }
            IndexWrite::Table { table, key, row } => {
                ([&[TABLE, *table as u8], &key[..]].concat(), row.as_ref().map(encode_table_row))
            }
        }
    }
}

/// Visits what one row holds. None if the bytes are not a row.
pub(super) fn visit(marker: &Marker, key: &[u8], value: &[u8], to: &mut dyn FnMut(Row<'_>)) -> Option<()> {
    match *key {
        [BLOCK, ref id @ ..] => {
            let (generation, number) = id.split_first_chunk::<4>()?;
            let number = u32::from_be_bytes(number.try_into().ok()?);
            let id = BlockId { generation: u32::from_be_bytes(*generation), number };
            if id.generation != marker.generation || number >= marker.blocks {
                to(Row::Stale(id));
                return Some(());
            }
            super::block::visit(value, &mut |key, version| to(Row::Version { block: number, key, version }))
        }
        [TABLE, table, ref key @ ..] => {
            let mut from = Reader(value);
            let position = take_position(&mut from)?;
            let value = match (from.byte()?, from.0) {
                (0, []) => None,
                (1, value) => Some(value),
                _ => return None,
            };
            to(Row::Table { table: Table::from_byte(table)?, key, position, value });
            Some(())
        }
        _ => None,
    }
}

impl Marker {
    /// Why an index that was never written cannot be used.
    pub(crate) const NONE_YET: &str = "there is no index yet";

    /// A marker's point before any log: a replay from it is refused, so an index that carries it is rebuilt.
    pub(crate) const UNREACHABLE: LogPoint = LogPoint { segment: u64::MAX, offset: 0 };

    pub(crate) fn is_unreachable(point: LogPoint) -> bool {
        point == Marker::UNREACHABLE
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = vec![INDEX_FORMAT];
        let numbers = [
            self.point.segment,
            u64::from(self.point.offset),
            self.revision as u64,
            self.compact_revision as u64,
            u64::from(self.generation),
            u64::from(self.blocks),
            self.base_keys,
            self.delta_keys,
            self.rows,
        ];
        numbers.into_iter().for_each(|number| put_varint(&mut out, number));
        out.extend_from_slice(&self.digest.to_le_bytes());
        out
    }

    pub(super) fn decode(value: &[u8]) -> Option<Marker> {
        let mut from = Reader(value);
        if from.byte()? != INDEX_FORMAT {
            return None;
        }
        let marker = Marker {
            point: LogPoint { segment: from.varint()?, offset: from.u32()? },
            revision: from.varint()? as i64,
            compact_revision: from.varint()? as i64,
            generation: from.u32()?,
            blocks: from.u32()?,
            base_keys: from.varint()?,
            delta_keys: from.varint()?,
            rows: from.varint()?,
            digest: 0,
        };
        Some(Marker { digest: u64::from_le_bytes(from.0.try_into().ok()?), ..marker })
    }
}

/// Hash of one row. Its constants are part of the format: the digest on disk is made of it.
pub(crate) fn hash_row(key: &[u8], value: &[u8]) -> u64 {
    let mut hash = 0x243f_6a88_85a3_08d3_u64 ^ (key.len() as u64);
    for part in [key, value] {
        let (words, tail) = part.as_chunks::<8>();
        let mut last = [0; 8];
        last.iter_mut().zip(tail).for_each(|(slot, byte)| *slot = *byte);
        for word in words.iter().chain((!tail.is_empty()).then_some(&last)) {
            hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x9fb2_1c65_1e98_df25);
            hash ^= hash >> 32;
        }
        hash = hash.wrapping_add(part.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^= hash >> 29;
    }
    hash
}

fn encode_table_row(row: &TableRow) -> Vec<u8> {
    let mut out = Vec::new();
    put_position(&mut out, row.position);
    out.push(u8::from(row.value.is_some()));
    out.extend_from_slice(row.value.as_deref().unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_marker_survive_the_disk_form() {
        let marker = Marker {
            point: LogPoint { segment: 3, offset: 64 },
            revision: 12,
            compact_revision: 4,
            generation: 2,
            blocks: 5,
            base_keys: 100,
            delta_keys: 7,
            digest: u64::MAX,
            rows: 2,
        };
        assert_eq!(Marker::decode(&marker.encode()), Some(marker));
        let mut older = marker.encode();
        older[0] = 1;
        assert_eq!(Marker::decode(&older), None, "another format is rebuilt");
        let key = Bytes::from_static(b"/registry/pods/a");
        let position = Position { segment: 1, offset: 2, length: 3, crc: 4 };
        let row = TableRow { position, value: Some(Bytes::from_static(b"v")) };
        let (disk_key, value) =
            IndexWrite::Table { table: Table::Share, key: key.clone(), row: Some(row.clone()) }.encode();
        let value = value.unwrap();
        let expected = Row::Table { table: Table::Share, key: &key, position, value: row.value.as_deref() };
        let mut seen = 0;
        visit(&marker, &disk_key, &value, &mut |row| {
            assert_eq!(row, expected);
            seen += 1;
        });
        for end in 0..value.len() - 1 {
            assert_eq!(visit(&marker, &disk_key, &value[..end], &mut |_| ()), None, "cut at {end}");
        }
        for (generation, number, stale) in [(2, 4, false), (2, 5, true), (1, 0, true)] {
            let id = BlockId { generation, number };
            let (key, value) = IndexWrite::Block { id, block: Some(Block::default()) }.encode();
            visit(&marker, &key, &value.unwrap(), &mut |row| {
                assert_eq!(row, Row::Stale(id));
                seen += 1;
            });
            assert_eq!(seen > 1, stale, "{id:?}");
        }
    }
}
