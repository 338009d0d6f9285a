//! Brings the index up to the log's end of a moment. Predecessor: `sequencer`, which says what changed; the log's tail
//! behind the last checkpoint is what a start has to replay.

use crate::index::{Backend, Block, BlockId, IndexError, IndexWrite, Marker, TableRow, VersionRow};
use crate::limits::{
    BLOCK_KEYS, CHECKPOINT_BATCH_ROWS, INDEX_DELTA_KEYS_MIN, INDEX_GROWTH_BYTES_MIN, INDEX_GROWTH_MAX,
    TABLE_INLINE_BYTES_MAX,
};
use crate::log::{LogPoint, Table};
use crate::mvcc::{State, Version};
use crate::recovery::Indexed;
use crate::sequencer::Dirty;
use bytes::Bytes;
use std::collections::BTreeSet;
use std::time::Duration;

/// Held while a checkpoint or a cleaning runs: one at a time.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    /// What the index says of itself; None while it is empty.
    marker: Option<Marker>,
    /// Blocks that no marker counts, to be removed.
    stale: Vec<BlockId>,
    /// What the index took on the disk when its generation had begun, or when it was opened.
    base_bytes: u64,
    /// The newest generation of which any block may be there.
    generation: u32,
    pub(crate) made_at: Duration,
    /// The index failed. The log is whole; the index is rebuilt at the next start.
    pub(crate) failed: bool,
}

impl Checkpoint {
    pub(crate) fn new(Indexed { marker, stale }: Indexed, base_bytes: u64, made_at: Duration) -> Checkpoint {
        let generations = marker.iter().map(|marker| marker.generation).chain(stale.iter().map(|id| id.generation));
        let generation = generations.max().unwrap_or_default();
        Checkpoint { marker, stale, base_bytes, generation, made_at, failed: false }
    }

    /// Up to where the index holds the log.
    pub(crate) fn point(&self) -> LogPoint {
        self.marker.map_or_else(LogPoint::default, |marker| marker.point)
    }

    /// Writes what changed, and moves the point. The versions of `dirty` are sorted by key, one a key; `state` is the one at `point`, and
    /// durable.
    ///
    /// # Errors
    /// The index cannot be written any more.
    pub(crate) fn write(
        &mut self,
        index: &dyn Backend,
        dirty: &Dirty,
        state: &State,
        point: LogPoint,
    ) -> Result<(), IndexError> {
        let old = self.marker.filter(|_| !dirty.all);
        let outweighed =
            |old: &Marker| old.delta_keys + dirty.versions.len() as u64 > old.base_keys / 2 + INDEX_DELTA_KEYS_MIN;
        let bloated = index.disk_bytes() > self.base_bytes * INDEX_GROWTH_MAX + INDEX_GROWTH_BYTES_MIN;
        let kept = old.filter(|old| !outweighed(old) && !bloated);
        let (generation, first) = match kept {
            Some(old) => (old.generation, old.blocks),
            None => {
                self.generation += 1;
                (self.generation, 0)
            }
        };
        // All batches but the last carry the old marker: after a crash between two, replay from the old point adds the
        // table rows that are there already, which changes nothing, and new blocks do not count. An index that begins
        // anew has no old point: it stays unusable until its last batch, and does not count before it is synced.
        let between = kept.unwrap_or(Marker { point: Marker::UNREACHABLE, ..Marker::default() });
        if kept.is_none() {
            index.begin()?;
            self.stale.clear();
        }
        let mut batches = Batches { index, between, batch: Vec::new() };
        let blocks =
            write_keys(&mut batches, BlockId { generation, number: first }, kept.map(|_| &dirty.versions[..]), state)?;
        write_rows(&mut batches, kept.map(|_| &dirty.rows), state)?;
        let changed = dirty.versions.len() as u64;
        let marker = Marker {
            point,
            revision: state.revision,
            compact_revision: state.compact_revision.max(0),
            generation,
            blocks,
            base_keys: kept.map_or(state.by_key.len() as u64, |old| old.base_keys),
            delta_keys: kept.map_or(0, |old| old.delta_keys + changed),
            ..Marker::default()
        };
        batches.between = marker;
        batches.flush()?;
        for id in std::mem::take(&mut self.stale) {
            batches.push(IndexWrite::Block { id, block: None })?;
        }
        batches.flush()?;
        index.sync()?;
        self.marker = Some(marker);
        if kept.is_none() {
            self.base_bytes = index.disk_bytes();
        }
        Ok(())
    }
}

/// Collects writes into batches, each of which is one atomic step of the index.
struct Batches<'a> {
    index: &'a dyn Backend,
    between: Marker,
    batch: Vec<IndexWrite>,
}

impl Batches<'_> {
    fn push(&mut self, write: IndexWrite) -> Result<(), IndexError> {
        self.batch.push(write);
        if self.batch.len() >= CHECKPOINT_BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        self.index.apply(&self.batch, self.between)?;
        self.batch.clear();
        Ok(())
    }
}

/// Writes the blocks of some keys, or of all; returns the number behind the last.
fn write_keys(
    batches: &mut Batches<'_>,
    first: BlockId,
    changed: Option<&[Version]>,
    state: &State,
) -> Result<u32, IndexError> {
    let mut blocks = Blocks { next: first, block: Block::default() };
    match changed {
        Some(versions) => {
            for key in versions.iter().map(Version::key) {
                let newest = state.newest(key);
                let versions = newest.map(|newest| version_rows(state, newest)).unwrap_or_default();
                blocks.push(batches, key, versions)?;
            }
        }
        None => {
            let mut older = older_versions(state).into_iter().peekable();
            for newest in state.by_key.iter() {
                let mut versions = Vec::with_capacity(1);
                while let Some(version) = older.next_if(|older| older.key() == newest.key()) {
                    versions.push(version_row(&version));
                }
                versions.push(version_row(newest));
                blocks.push(batches, newest.key(), versions)?;
            }
        }
    }
    blocks.end(batches)?;
    Ok(blocks.next.number)
}

/// Fills one block after the other.
struct Blocks {
    next: BlockId,
    block: Block,
}

impl Blocks {
    fn push(&mut self, batches: &mut Batches<'_>, key: &[u8], versions: Vec<VersionRow>) -> Result<(), IndexError> {
        self.block.push(key, versions.into_iter());
        if self.block.keys() >= BLOCK_KEYS { self.end(batches) } else { Ok(()) }
    }

    fn end(&mut self, batches: &mut Batches<'_>) -> Result<(), IndexError> {
        if self.block.keys() == 0 {
            return Ok(());
        }
        let (id, block) = (self.next, Some(std::mem::take(&mut self.block)));
        self.next.number += 1;
        batches.push(IndexWrite::Block { id, block })
    }
}

/// Writes the rows that changed, or all.
fn write_rows(
    batches: &mut Batches<'_>,
    changed: Option<&BTreeSet<(Table, Bytes)>>,
    state: &State,
) -> Result<(), IndexError> {
    let write = |table: Table, key: &Bytes| IndexWrite::Table {
        table,
        key: key.clone(),
        row: state.row(table, key).map(|row| TableRow {
            position: row.position().unwrap_or_default(),
            value: Some(row.value().clone()).filter(|value| value.len() <= TABLE_INLINE_BYTES_MAX),
        }),
    };
    match changed {
        Some(rows) => rows.iter().try_for_each(|(table, key)| batches.push(write(*table, key))),
        None => {
            let rows = state.tables.iter().flat_map(|(table, rows)| rows.iter().map(|found| (*table, &found.key)));
            rows.map(|(table, key)| write(table, key)).try_for_each(|write| batches.push(write))
        }
    }
}

/// All kept versions of a key, oldest first.
fn version_rows(state: &State, newest: &Version) -> Vec<VersionRow> {
    let mut rows: Vec<VersionRow> = state.versions(newest).map(version_row).collect();
    rows.reverse();
    rows
}

/// All kept versions that are not their keys' newest, by key and revision. One walk through the history, in its order:
/// to ask for each key would be a look-up each, all over the memory.
fn older_versions(state: &State) -> Vec<Version> {
    let mut older: Vec<Version> = state.by_revision.iter().filter_map(|event| state.previous(event).cloned()).collect();
    older.sort_by(|a, b| a.key().cmp(b.key()).then_with(|| a.revision().cmp(&b.revision())));
    older
}

fn version_row(version: &Version) -> VersionRow {
    VersionRow {
        revision: version.revision(),
        create_revision: version.create_revision(),
        number: version.number(),
        lease: version.lease(),
        position: version.position().unwrap_or_default(),
    }
}
