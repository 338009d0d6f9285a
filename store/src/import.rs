//! Fills the log of a new site from a snapshot. No store runs meanwhile: the versions come with the revisions that they
//! had, which no write could give them. `Store::open` then finds them as it finds its own.

use crate::disk::RealDisk;
use crate::error::ImportError;
use crate::limits::{IMPORT_BATCH_BYTES, IMPORT_RECORD_BYTES};
use crate::log::{Appender, Event, EventKind, Log, Moved, Options, Record, Syncer, Table, TableWrite};
use crate::mvcc::KeyValue;
use crate::revision::Revision;
use crate::sync::Arc;
use bytes::Bytes;
use std::path::Path;
use uuid::Uuid;

/// An import under way. What was not finished is no site: remove its directory.
#[derive(Debug)]
pub struct Import {
    appender: Appender,
    syncer: Syncer,
    record: Record,
    /// Bytes of keys and values in `record`.
    record_bytes: usize,
    /// The last event, for the next one's sub-revision.
    last: Revision,
}

impl Import {
    /// Makes the log of a new site in a data directory.
    ///
    /// # Errors
    /// There is a log already; the directory cannot be used.
    pub fn begin(dir: &Path) -> Result<Import, ImportError> {
        let options = Options { log_id: Uuid::new_v4().as_u64_pair().0, ..Options::default() };
        let log = Log::open(Arc::new(RealDisk), &dir.join("log"), options)?;
        if !log.is_new() {
            return Err(ImportError::NotEmpty);
        }
        let parts = log.finish()?;
        Ok(Import {
            appender: parts.appender,
            syncer: parts.syncer,
            record: Record::default(),
            record_bytes: 0,
            last: Revision::default(),
        })
    }

    /// A live version that the compaction has left: an encoded `mvccpb.KeyValue`. Before all events.
    ///
    /// # Errors
    /// It is no `KeyValue`; the log's.
    pub fn version(&mut self, kv: Bytes) -> Result<(), ImportError> {
        let (key, main) = key_and_revision(&kv)?;
        let bytes = kv.len();
        let event = Event { key, revision: Revision { main, sub: 0 }, kind: EventKind::Put(kv) };
        self.record.moved.push(Moved { event, superseded_at: None });
        self.added(bytes)
    }

    /// An event, in the order of the history. `kv` is an encoded `mvccpb.KeyValue`; of a delete, its key and
    /// mod_revision count.
    ///
    /// # Errors
    /// It is no `KeyValue`, or older than the event before; the log's.
    pub fn event(&mut self, kv: Bytes, is_delete: bool) -> Result<(), ImportError> {
        let (key, main) = key_and_revision(&kv)?;
        if main < self.last.main {
            return Err(ImportError::Order { revision: main, after: self.last.main });
        }
        let sub = if main == self.last.main { self.last.sub + 1 } else { 0 };
        self.last = Revision { main, sub };
        let bytes = kv.len();
        let kind = if is_delete { EventKind::Delete } else { EventKind::Put(kv) };
        self.record.events.push(Event { key, revision: self.last, kind });
        self.added(bytes)
    }

    /// A row of a table.
    ///
    /// # Errors
    /// The log's.
    pub fn row(&mut self, table: Table, key: Bytes, value: Bytes) -> Result<(), ImportError> {
        let bytes = key.len() + value.len();
        self.record.tables.push(TableWrite { table, key, value: Some(value) });
        self.added(bytes)
    }

    /// Ends the import; it is durable when this returns. `compact_revision`, if there is one, may lie above the last
    /// event: the store then goes on from there, and nothing older can be read.
    ///
    /// # Errors
    /// The log's.
    pub fn finish(mut self, compact_revision: Option<i64>) -> Result<(), ImportError> {
        self.record.compact = compact_revision;
        self.append()?;
        self.write()?;
        self.appender.append_closed();
        self.write()
    }

    fn added(&mut self, bytes: usize) -> Result<(), ImportError> {
        self.record_bytes += bytes;
        if self.record_bytes < IMPORT_RECORD_BYTES {
            return Ok(());
        }
        self.append()?;
        if self.appender.pending_bytes() < IMPORT_BATCH_BYTES { Ok(()) } else { self.write() }
    }

    fn append(&mut self) -> Result<(), ImportError> {
        let record = std::mem::take(&mut self.record);
        self.record_bytes = 0;
        if record != Record::default() {
            self.appender.append(&record)?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), ImportError> {
        Ok(self.appender.take_batch().map_or(Ok(()), |batch| self.syncer.write(batch))?)
    }
}

fn key_and_revision(kv: &Bytes) -> Result<(Bytes, i64), ImportError> {
    let decoded = KeyValue::decode(kv).map_err(|_| ImportError::Version)?;
    if decoded.key.is_empty() || decoded.mod_revision < 1 {
        return Err(ImportError::Version);
    }
    Ok((Bytes::copy_from_slice(decoded.key), decoded.mod_revision))
}

#[cfg(test)]
mod tests;
