//! A watcher: pure pull over the published history. Predecessor on the write path: `sequencer` publishes;
//! successor: `etcd-shim` sends what [`Watcher::poll_events`] returns.

use bytes::Bytes;

/// What to watch. Field meanings are etcd's `WatchCreateRequest`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchRequest {
    /// First key.
    pub key: Bytes,
    /// Exclusive end; empty = the single key, one zero byte = everything from `key`.
    pub range_end: Bytes,
    /// First revision of interest; 0 = the next one. A future one waits.
    pub start_revision: i64,
    /// Leave puts out.
    pub no_put: bool,
    /// Leave deletes out.
    pub no_delete: bool,
    /// Give the former version with each event that is not a create.
    pub prev_kv: bool,
}

/// Put or delete, as etcd's `mvccpb.Event.EventType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum WatchEventKind {
    Put,
    Delete,
}

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WatchEvent {
    /// Put or delete.
    pub kind: WatchEventKind,
    /// Encoded `mvccpb.KeyValue`; for a delete only key and mod_revision are set.
    pub kv: Bytes,
    /// The former version, if asked for, unless the event is a create or the version is compacted.
    pub prev_kv: Option<Bytes>,
}

/// What a poll found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WatchStep {
    /// Events in revision order, whole revisions only. Poll again: there may be more.
    Events {
        /// Revision up to which this watcher has now seen everything.
        revision: i64,
        /// Never empty.
        events: Vec<WatchEvent>,
    },
    /// Nothing new. Every event up to `revision` has been returned, so a progress notification may carry it if
    /// [`Watcher::progress_revision`] agrees.
    Synced {
        /// The published revision.
        revision: i64,
    },
    /// The cursor fell below the compact revision: the watch must be canceled with it.
    Compacted {
        /// The oldest revision that can still be watched from.
        compact_revision: i64,
    },
}

/// A cursor over the published history. Owned by the stream that serves it; dropping it is all the clean-up.
#[derive(Debug)]
pub struct Watcher {
    request: WatchRequest,
}

impl Watcher {
    /// Takes the next events: whole revisions, until `max_bytes` of encoded events are exceeded. Never waits: wait on
    /// [`crate::Store::published`] after `Synced`.
    pub fn poll_events(&mut self, max_bytes: usize) -> WatchStep {
        let _ = (max_bytes, &self.request);
        todo!()
    }

    /// The revision a progress notification of this watcher may carry now: None while it still has events to return,
    /// and while its start lies in the future (etcd issue 20221).
    pub fn progress_revision(&self) -> Option<i64> {
        todo!()
    }
}
