//! What the log alone, or the index with the log's tail, says that the store holds. Both must say the same.

use super::damage::{Damage, DamagedKey};
use super::scan::Gap;
use crate::index::hash_row;
use crate::limits::LOST_KEYS_NAMED_MAX;
use crate::log::{Position, Reader, Table};
use crate::mvcc::Version;
use crate::recovery::{FoundRow, Gathered};
use crate::revision::Revision;
use bytes::Bytes;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// All kept versions and tombstones, by key and revision.
    pub(super) versions: Vec<Version>,
    pub(super) rows: BTreeMap<(Table, Bytes), ContentRow>,
}

/// A row.
#[derive(Debug)]
pub(super) struct ContentRow {
    /// None: it lies in the log and cannot be read there.
    pub(super) value: Option<Bytes>,
    pub(super) position: Position,
}

impl Content {
    /// What is left of what was found once compaction is applied.
    pub(super) fn new(mut gathered: Gathered, compact_revision: i64, reader: &Reader) -> Content {
        let versions = gathered.keep(compact_revision);
        let rows = gathered.rows.into_iter().filter_map(|(at, found)| {
            let row = match found? {
                FoundRow::Here(value, position) => ContentRow { value: Some(value), position },
                FoundRow::InLog(position) => ContentRow { value: reader.read(position).ok(), position },
            };
            Some((at, row))
        });
        Content { versions, rows: rows.collect() }
    }

    /// Live keys.
    pub(super) fn keys(&self) -> u64 {
        let newest = self.versions.chunk_by(|a, b| a.key() == b.key()).filter_map(|of_key| of_key.last());
        newest.filter(|version| !version.is_tombstone()).count() as u64
    }

    /// A hash of everything but places: keys, revisions, leases, checksums of values, rows.
    pub(super) fn digest(&self) -> u64 {
        let versions = self.versions.iter().map(hash_version);
        let rows = self.rows.iter().map(|((table, key), row)| {
            let key = [&[*table as u8][..], key].concat();
            hash_row(&key, row.value.as_deref().unwrap_or_default())
        });
        versions.chain(rows).fold(0, u64::wrapping_add)
    }

    /// Notes what is kept in a damaged part; true if a row is lost, which a start needs.
    pub(super) fn look_up(&self, gap: &Gap, reader: &Reader, damage: &mut Damage) -> bool {
        let mut row_lost = false;
        let mut lose = |key: DamagedKey| {
            damage.lost_count += 1;
            if damage.lost.len() < LOST_KEYS_NAMED_MAX {
                damage.lost.push(key);
            }
        };
        for version in &self.versions {
            let at = version.position().unwrap_or_default();
            if !gap.holds(at) {
                continue;
            }
            damage.kept += 1;
            if !version.is_tombstone() && reader.read(at).is_err() {
                let (key, revision) = (Bytes::copy_from_slice(version.key()), version.revision().main);
                lose(DamagedKey { key, table: None, revision });
            }
        }
        for ((table, key), row) in self.rows.iter().filter(|(_, row)| gap.holds(row.position)) {
            damage.kept += 1;
            if row.value.is_none() {
                row_lost = true;
                lose(DamagedKey { key: key.clone(), table: Some(*table), revision: 0 });
            }
        }
        row_lost
    }

    /// The first gap in the revisions above the compaction, in words. Every revision has an event, which is kept.
    pub(super) fn revision_gap(&self, revision: i64, compact_revision: i64) -> Option<String> {
        let above = self.versions.iter().map(Version::revision);
        let mut above: Vec<Revision> = above.filter(|revision| revision.main > compact_revision).collect();
        above.sort_unstable();
        let mut last = Revision { main: compact_revision.max(Revision::EMPTY_STORE), sub: 0 };
        for next in above {
            let follows =
                next.main == last.main + 1 && next.sub == 0 || next.main == last.main && next.sub == last.sub + 1;
            if !follows {
                return Some(format!("after revision {}.{} comes {}.{}", last.main, last.sub, next.main, next.sub));
            }
            last = next;
        }
        let reached = last.main >= revision;
        (!reached).then(|| format!("the last event is of revision {}, but the log says {revision}", last.main))
    }
}

pub(super) fn hash_version(version: &Version) -> u64 {
    let crc = if version.is_tombstone() { 0 } else { version.position().unwrap_or_default().crc };
    let Revision { main, sub } = version.revision();
    let fields = [main, sub, version.create_revision(), version.number(), version.lease()];
    let mut bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
    bytes.extend_from_slice(&version.length().to_le_bytes());
    bytes.extend_from_slice(&crc.to_le_bytes());
    hash_row(version.key(), &bytes)
}
