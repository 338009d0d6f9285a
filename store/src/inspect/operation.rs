//! What a record does, in words.

use crate::lease::{granted_s, row_id};
use crate::log::{Event, EventKind, Position, Record, Replayed, Table, TableWrite};
use crate::mvcc::KeyValue;
use bytes::Bytes;

/// One operation of a record. What a row holds is not shown: it may be a password's hash or a key.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Operation {
    /// put, delete, moved put, moved delete, row put, row delete, or compact.
    pub kind: &'static str,
    /// The etcd key, or the row's; empty for a compaction.
    pub key: Bytes,
    /// The row's table.
    pub table: Option<Table>,
    /// Main and sub revision; a compaction has the one that it compacts at, a row none.
    pub revision: Option<(i64, i64)>,
    /// The revision at which the key was created; 0 if it is no put.
    pub create_revision: i64,
    /// Puts since then; 0 if it is no put.
    pub version: i64,
    /// The lease of a put, or of a lease's row; 0 = none.
    pub lease: i64,
    /// Granted seconds, of a lease's row.
    pub ttl_s: Option<i64>,
    /// Bytes of the value.
    pub value_bytes: u64,
    /// For a moved version, the revision that had superseded it.
    pub superseded_at: Option<i64>,
}

impl Operation {
    /// All operations of a record, in order.
    pub(super) fn all(replayed: &Replayed) -> Vec<Operation> {
        let Replayed { record, appended } = replayed;
        let Record { events, tables, compact, moved } = record;
        let events = events.iter().zip(&appended.events).map(|(event, at)| of_event(event, *at, ["put", "delete"]));
        let moved = moved.iter().zip(&appended.moved).map(|(moved, at)| Operation {
            superseded_at: moved.superseded_at,
            ..of_event(&moved.event, *at, ["moved put", "moved delete"])
        });
        let compact = compact.map(|revision| Operation {
            kind: "compact",
            revision: Some((revision, 0)),
            ..Operation::default()
        });
        events.chain(tables.iter().map(of_row)).chain(compact).chain(moved).collect()
    }
}

fn of_event(event: &Event, at: Position, [put, delete]: [&'static str; 2]) -> Operation {
    let revision = Some((event.revision.main, event.revision.sub));
    let shown = Operation { kind: delete, key: event.key.clone(), revision, ..Operation::default() };
    let EventKind::Put(kv) = &event.kind else { return shown };
    match KeyValue::decode(kv) {
        Ok(kv) => Operation {
            kind: put,
            create_revision: kv.create_revision,
            version: kv.version,
            lease: kv.lease,
            value_bytes: kv.value.len() as u64,
            ..shown
        },
        Err(_) => Operation { kind: put, value_bytes: u64::from(at.length), ..shown },
    }
}

fn of_row(write: &TableWrite) -> Operation {
    let is_lease = write.table == Table::Lease;
    let value = write.value.as_ref();
    Operation {
        kind: if value.is_some() { "row put" } else { "row delete" },
        key: write.key.clone(),
        table: Some(write.table),
        lease: Some(&write.key).filter(|_| is_lease).and_then(|key| row_id(key)).unwrap_or_default(),
        ttl_s: value.filter(|_| is_lease).and_then(|value| granted_s(value)),
        value_bytes: value.map_or(0, |value| value.len() as u64),
        ..Operation::default()
    }
}
