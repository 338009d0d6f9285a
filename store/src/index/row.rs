//! The index's rows and their form on disk.
//!
//! ```text
//! row key    = 1 · etcd key                 or  2 · table · row key       or  0 (the marker)
//! key row    = varint count, then each version, oldest first:
//!              varint main · varint sub · varint create_revision · varint version · zigzag lease ·
//!              1 · position, or 0 for a tombstone (then its position too, for the accounting)
//!              · varint superseded: 0, or the main revision that superseded it + 1
//! table row  = position · (0, or 1 · the value)
//! position   = varint segment · varint offset · varint length · crc32 (4)
//! marker     = varint segment · varint offset · varint revision · varint compact_revision · digest (8) · varint rows
//! ```

use crate::log::{LogPoint, Position, Table};
use crate::revision::Revision;
use bytes::Bytes;

/// One version of a key, without its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRow {
    /// Its revision.
    pub revision: Revision,
    /// Revision at which the key was created.
    pub create_revision: i64,
    /// Version since then, from 1; 0 for a tombstone.
    pub version: i64,
    /// The lease it is attached to; 0 for none.
    pub lease: i64,
    /// Where its encoded `KeyValue` lies.
    pub position: Position,
    /// Whether it is a tombstone.
    pub tombstone: bool,
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Row {
    /// An etcd key and its versions that are not compacted, oldest first.
    Key {
        /// The etcd key.
        key: Bytes,
        /// Its versions.
        versions: Vec<VersionRow>,
    },
    /// A row of a table.
    Table {
        /// Which table.
        table: Table,
        /// Row key.
        key: Bytes,
        /// Its value and place.
        row: TableRow,
    },
}

/// What an index is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IndexWrite {
    /// The versions that an etcd key has now; none removes it.
    Key {
        /// The etcd key.
        key: Bytes,
        /// All of its versions that are not compacted, oldest first.
        versions: Vec<VersionRow>,
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
    /// Sum of the hashes of all rows: independent of order, so that it is kept row by row.
    pub digest: u64,
    /// Number of rows.
    pub rows: u64,
}

const MARKER: u8 = 0;
const KEY: u8 = 1;
const TABLE: u8 = 2;

/// Where the marker is kept.
pub(super) const MARKER_KEY: &[u8] = &[MARKER];

impl IndexWrite {
    /// The row in its form on disk; no value removes it.
    pub(super) fn encode(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        match self {
            IndexWrite::Key { key, versions } => {
                let value = (!versions.is_empty()).then(|| encode_versions(versions));
                ([&[KEY], &key[..]].concat(), value)
            }
            IndexWrite::Table { table, key, row } => {
                ([&[TABLE, *table as u8], &key[..]].concat(), row.as_ref().map(encode_table_row))
            }
        }
    }
}

impl Row {
    /// None if the bytes are not a row.
    pub(super) fn decode(key: &[u8], value: &[u8]) -> Option<Row> {
        let mut from = From(value);
        let row = match *key {
            [KEY, ref key @ ..] => Row::Key { key: Bytes::copy_from_slice(key), versions: from.versions()? },
            [TABLE, table, ref key @ ..] => {
                Row::Table { table: Table::from_byte(table)?, key: Bytes::copy_from_slice(key), row: from.table_row()? }
            }
            _ => return None,
        };
        from.0.is_empty().then_some(row)
    }
}

impl Marker {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let numbers = [
            self.point.segment,
            u64::from(self.point.offset),
            self.revision as u64,
            self.compact_revision as u64,
            self.rows,
        ];
        numbers.into_iter().for_each(|number| varint(&mut out, number));
        out.extend_from_slice(&self.digest.to_le_bytes());
        out
    }

    pub(super) fn decode(value: &[u8]) -> Option<Marker> {
        let mut from = From(value);
        let point = LogPoint { segment: from.varint()?, offset: from.u32()? };
        let (revision, compact_revision) = (from.varint()? as i64, from.varint()? as i64);
        let rows = from.varint()?;
        let digest = u64::from_le_bytes(from.0.try_into().ok()?);
        Some(Marker { point, revision, compact_revision, digest, rows })
    }
}

/// Hash of one row. Its constants are part of the format: the digest on disk is made of it.
pub(super) fn hash_row(key: &[u8], value: &[u8]) -> u64 {
    let mut hash = 0x243f_6a88_85a3_08d3_u64 ^ (key.len() as u64);
    for part in [key, value] {
        for chunk in part.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(slot, byte)| *slot = *byte);
            hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9fb2_1c65_1e98_df25);
            hash ^= hash >> 32;
        }
        hash = hash.wrapping_add(part.len() as u64).wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^= hash >> 29;
    }
    hash
}

fn encode_versions(versions: &[VersionRow]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + 24 * versions.len());
    varint(&mut out, versions.len() as u64);
    for version in versions {
        varint(&mut out, version.revision.main as u64);
        varint(&mut out, version.revision.sub as u64);
        varint(&mut out, version.create_revision as u64);
        varint(&mut out, version.version as u64);
        // Lease ids are positive, but a client may choose any; as unsigned they keep all bits.
        varint(&mut out, version.lease as u64);
        out.push(u8::from(version.tombstone));
        encode_position(&mut out, version.position);
    }
    out
}

fn encode_table_row(row: &TableRow) -> Vec<u8> {
    let mut out = Vec::new();
    encode_position(&mut out, row.position);
    out.push(u8::from(row.value.is_some()));
    out.extend_from_slice(row.value.as_deref().unwrap_or_default());
    out
}

fn encode_position(out: &mut Vec<u8>, position: Position) {
    varint(out, position.segment);
    varint(out, u64::from(position.offset));
    varint(out, u64::from(position.length));
    out.extend_from_slice(&position.crc.to_le_bytes());
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes fields from the front of bytes.
struct From<'a>(&'a [u8]);

impl From<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.varint()?).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn position(&mut self) -> Option<Position> {
        let (segment, offset, length) = (self.varint()?, self.u32()?, self.u32()?);
        let (crc, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(Position { segment, offset, length, crc: u32::from_le_bytes(*crc) })
    }

    fn versions(&mut self) -> Option<Vec<VersionRow>> {
        let count = self.varint()?;
        let mut versions = Vec::new();
        for _ in 0..count {
            versions.push(VersionRow {
                revision: Revision { main: self.varint()? as i64, sub: self.varint()? as i64 },
                create_revision: self.varint()? as i64,
                version: self.varint()? as i64,
                lease: self.varint()? as i64,
                tombstone: self.flag()?,
                position: self.position()?,
            });
        }
        Some(versions)
    }

    fn table_row(&mut self) -> Option<TableRow> {
        let position = self.position()?;
        let value = self.flag()?.then(|| Bytes::copy_from_slice(std::mem::take(&mut self.0)));
        Some(TableRow { position, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(main: i64, tombstone: bool) -> VersionRow {
        VersionRow {
            revision: Revision { main, sub: 3 },
            create_revision: 2,
            version: 7,
            lease: -5,
            position: Position { segment: 9, offset: 4096, length: 77, crc: u32::MAX },
            tombstone,
        }
    }

    #[test]
    fn rows_and_marker_survive_the_disk_form() {
        let key = Bytes::from_static(b"/registry/pods/a");
        let versions = vec![version(5, false), version(i64::MAX, true)];
        let row = TableRow { position: Position::default(), value: Some(Bytes::from_static(b"v")) };
        let (disk_key, value) = IndexWrite::Key { key: key.clone(), versions: versions.clone() }.encode();
        assert_eq!(Row::decode(&disk_key, &value.unwrap()), Some(Row::Key { key: key.clone(), versions }));
        let (disk_key, value) =
            IndexWrite::Table { table: Table::Share, key: key.clone(), row: Some(row.clone()) }.encode();
        assert_eq!(Row::decode(&disk_key, &value.unwrap()), Some(Row::Table { table: Table::Share, key, row }));
        let marker = Marker {
            point: LogPoint { segment: 3, offset: 64 },
            revision: 12,
            compact_revision: 4,
            digest: u64::MAX,
            rows: 2,
        };
        assert_eq!(Marker::decode(&marker.encode()), Some(marker));
    }

    #[test]
    fn every_cut_of_a_row_is_refused() {
        let write = IndexWrite::Key { key: Bytes::from_static(b"k"), versions: vec![version(5, false); 3] };
        let (key, value) = write.encode();
        let value = value.unwrap();
        for end in 0..value.len() {
            assert_eq!(Row::decode(&key, &value[..end]), None, "cut at {end}");
        }
    }
}
