//! A watcher: pure pull over the published history. Predecessor on the write path: `sequencer` publishes;
//! successor: `etcd-shim` sends what [`Watcher::poll_events`] returns.

use super::Publication;
use crate::error::RequestError;
use crate::key_range::KeyRange;
use crate::mvcc::{HistoryEvent, State, tombstone};
use crate::planted::{Bug, is_planted};
use crate::revision::Revision;
use crate::sync::Arc;
use bytes::Bytes;
use std::ops::Bound;

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
        /// Revision up to which this watcher has now seen everything; at or above the last event's.
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
    /// A value of the next event cannot be read: the watch must be canceled.
    Unreadable(RequestError),
    /// The cursor fell below the compact revision: the watch must be canceled with it.
    Compacted {
        /// The oldest revision that can still be watched from.
        compact_revision: i64,
    },
}

/// A cursor over the published history. Owned by the stream that serves it; dropping it is all the clean-up.
#[derive(Debug)]
pub struct Watcher {
    publication: Arc<Publication<State>>,
    range: KeyRange,
    no_put: bool,
    no_delete: bool,
    prev_kv: bool,
    /// Every event of interest below this main revision was returned.
    next: i64,
    /// The published revision that the last poll had caught up with; None while events may be left.
    synced: Option<i64>,
}

impl Watcher {
    pub(crate) fn new(publication: Arc<Publication<State>>, request: WatchRequest) -> Watcher {
        let WatchRequest { key, range_end, start_revision, no_put, no_delete, prev_kv } = request;
        let current = publication.load().revision;
        let next = if start_revision > 0 { start_revision } else { current + 1 };
        let synced = (next == current + 1).then_some(current);
        Watcher { publication, range: KeyRange::new(&key, &range_end), no_put, no_delete, prev_kv, next, synced }
    }

    /// Takes the next events: whole revisions, until `max_bytes` of encoded events are exceeded. Never waits: wait on
    /// [`crate::Store::published`] after `Synced`, with a receiver that was taken before the poll.
    pub fn poll_events(&mut self, max_bytes: usize) -> WatchStep {
        let state = self.publication.load();
        let revision = state.revision;
        self.synced = None;
        if self.next > revision {
            // A start in the future is not synced: it may carry no progress (etcd issue 20221).
            self.synced = (self.next == revision + 1).then_some(revision);
            return WatchStep::Synced { revision };
        }
        if self.next < state.compact_revision {
            return WatchStep::Compacted { compact_revision: state.compact_revision };
        }
        let (events, seen) = match self.take(&state, max_bytes) {
            Ok(taken) => taken,
            Err(unreadable) => return WatchStep::Unreadable(unreadable),
        };
        self.next = seen + 1;
        if is_planted(Bug::DuplicateOnResync) && seen < revision {
            self.next = seen;
        }
        if is_planted(Bug::EarlyProgress) {
            self.synced = Some(revision);
        }
        if events.is_empty() {
            self.synced = Some(revision);
            return WatchStep::Synced { revision };
        }
        WatchStep::Events { revision: seen, events }
    }

    /// The revision a progress notification of this watcher may carry now: everything up to it was returned. None while
    /// there may be events to return (poll until `Synced`), and while its start lies in the future (etcd issue 20221).
    /// It never decreases.
    pub fn progress_revision(&self) -> Option<i64> {
        self.synced
    }

    /// The first revision whose events this watcher has not returned yet.
    pub fn next_revision(&self) -> i64 {
        self.next
    }

    /// Events from the cursor on, and the revision up to which they are complete.
    fn take(&self, state: &State, max_bytes: usize) -> Result<(Vec<WatchEvent>, i64), RequestError> {
        let first = Revision { main: self.next, sub: 0 };
        let (mut events, mut bytes) = (Vec::new(), 0);
        let mut last_taken = self.next - 1;
        for event in state.by_revision.range(Bound::Included(&first), Bound::Unbounded) {
            let at = event.version.revision().main;
            if bytes > max_bytes && at > last_taken {
                return Ok((events, at - 1));
            }
            if !self.wants(event) {
                continue;
            }
            let event = self.encode(state, event)?;
            bytes += event.kv.len() + event.prev_kv.as_ref().map_or(0, Bytes::len);
            last_taken = at;
            events.push(event);
        }
        Ok((events, state.revision))
    }

    fn wants(&self, event: &HistoryEvent) -> bool {
        let filtered = if event.version.is_tombstone() { self.no_delete } else { self.no_put };
        !filtered && self.range.contains(event.version.key())
    }

    /// A previous value that is compacted is not told, though it may still be here: Kubernetes' storage suite wants a watch
    /// that starts at the compact revision to miss it (etcd server/etcdserver/api/v3rpc/watch.go reads it by a Range).
    /// The previous value is the one before the whole revision, also if the key changes twice in it.
    fn encode(&self, state: &State, event: &HistoryEvent) -> Result<WatchEvent, RequestError> {
        let main = event.version.revision().main;
        let is_create = event.version.number() == 1;
        let is_compacted = main <= state.compact_revision;
        let previous = event.previous.as_ref().filter(|_| self.prev_kv && !is_create && !is_compacted);
        let before = previous.and_then(|previous| match previous.revision().main {
            same if same == main => state.version_at(previous, main - 1),
            _ => Some(previous),
        });
        let previous = before.and_then(|before| before.live());
        let prev_kv = previous.map(|previous| state.values.get(previous)).transpose()?;
        Ok(match event.version.live() {
            Some(version) => WatchEvent { kind: WatchEventKind::Put, kv: state.values.get(version)?, prev_kv },
            None => {
                let kv = tombstone(event.version.key(), event.version.revision().main);
                WatchEvent { kind: WatchEventKind::Delete, kv, prev_kv }
            }
        })
    }
}
