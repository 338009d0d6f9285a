//! Compares what a store shows with a model. An error is a broken promise, in words.

use crate::model::{Event, Model, Version};
use archipel_store::error::RequestError;
use archipel_store::mvcc::{KeyValue, RangeReply, RangeRequest};
use archipel_store::watch::{WatchEvent, WatchEventKind, WatchRequest, WatchStep, Watcher};
use archipel_store::{Store, View};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) type Verdict = Result<(), String>;

/// Everything from the empty key on.
const ALL: &[u8] = b"\0";

/// How many old revisions are read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Depth {
    /// All that are kept.
    Whole,
    /// About so many of them, spread over all.
    Some(i64),
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, shown: T, right: T) -> Verdict {
    if shown == right { Ok(()) } else { Err(format!("{what} is {shown:?} instead of {right:?}")) }
}

/// The whole store: keys at every kept revision, history, leases.
pub(crate) fn judge(store: &Store, model: &Model, depth: Depth) -> Verdict {
    let mut ids = store.leases();
    ids.sort_unstable();
    same("the list of leases", ids, model.leases.keys().copied().collect())?;
    for (id, granted_s) in &model.leases {
        let info = store.lease_time_to_live(*id, true).ok_or_else(|| format!("lease {id} has no time to live"))?;
        same(&format!("the granted time of lease {id}"), info.granted_s, *granted_s)?;
        same(&format!("the list of keys of lease {id}"), info.keys, model.keys_of_lease(*id))?;
    }
    judge_view(&store.view(), model, depth)
}

/// A pinned state.
pub(crate) fn judge_view(view: &View, model: &Model, depth: Depth) -> Verdict {
    same("the revision", view.revision(), model.revision)?;
    same("the compact revision", view.compact_revision(), model.compact_revision)?;
    let oldest = model.compact_revision.max(1);
    let step = match depth {
        Depth::Whole => 1,
        Depth::Some(count) => ((model.revision - oldest) / count).max(1),
    };
    let mut live = model.live.clone();
    for revision in (oldest..=model.revision).rev() {
        if (model.revision - revision) % step == 0 || revision == oldest {
            judge_keys(view, &live, revision)?;
        }
        model.step_back(&mut live, revision);
    }
    if model.compact_revision > 1 {
        let below = view.range(&everything(model.compact_revision - 1));
        let compacted = RequestError::Compacted { compact_revision: model.compact_revision };
        same("a read below the compact revision", below.map(|_| ()), Err(compacted))?;
    }
    let mut follower = Follower::new(view.watch(watch_request(oldest)), oldest);
    follower.follow(model, 700)?;
    follower.arrived(model)
}

pub(crate) fn everything(revision: i64) -> RangeRequest {
    RangeRequest {
        key: Bytes::from_static(ALL),
        range_end: Bytes::from_static(ALL),
        revision,
        ..RangeRequest::default()
    }
}

fn judge_keys(view: &View, live: &BTreeMap<Bytes, Arc<Version>>, revision: i64) -> Verdict {
    let reply = view.range(&everything(revision)).map_err(|error| format!("a read at {revision} fails: {error}"))?;
    judge_reply(&reply, live, revision)
}

pub(crate) fn judge_reply(reply: &RangeReply, live: &BTreeMap<Bytes, Arc<Version>>, revision: i64) -> Verdict {
    let right: Vec<Bytes> = live.iter().map(|(key, version)| version.encode(key)).collect();
    if reply.kvs != right {
        return Err(format!(
            "at revision {revision} the keys are {:?} instead of {:?}",
            show(&reply.kvs),
            show(&right)
        ));
    }
    same(&format!("the count at revision {revision}"), reply.count, live.len() as i64)
}

/// Versions as `key@modified/created/number`, with the beginning of the value.
fn show(kvs: &[Bytes]) -> Vec<String> {
    kvs.iter().map(show_version).collect()
}

fn show_version(kv: &Bytes) -> String {
    let Ok(kv) = KeyValue::decode(kv) else { return format!("{kv:?}") };
    let key = String::from_utf8_lossy(kv.key);
    let value: String = kv.value.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{key}={value}@{}/{}/{}", kv.mod_revision, kv.create_revision, kv.version)
}

pub(crate) fn watch_request(start_revision: i64) -> WatchRequest {
    let (key, range_end) = (Bytes::from_static(ALL), Bytes::from_static(ALL));
    WatchRequest { key, range_end, start_revision, prev_kv: true, ..WatchRequest::default() }
}

/// Follows a watcher and holds it to etcd's promises: events in order of their revision, whole revisions, each once, none
/// left out, with the right former version; and progress only to where everything was given.
#[derive(Debug)]
pub(crate) struct Follower {
    watcher: Watcher,
    /// Everything below was given.
    next: i64,
    /// Compaction overtook it.
    is_over: bool,
}

impl Follower {
    pub(crate) fn new(watcher: Watcher, start_revision: i64) -> Follower {
        Follower { watcher, next: start_revision, is_over: false }
    }

    /// Polls until there is nothing new; `model` is at or after the published state. An answer is at most `bytes_max`
    /// and a revision.
    pub(crate) fn follow(&mut self, model: &Model, bytes_max: usize) -> Verdict {
        while !self.is_over {
            let step = self.watcher.poll_events(bytes_max);
            let over = match step {
                WatchStep::Events { revision, events } => {
                    self.take(model, revision, &events)?;
                    false
                }
                WatchStep::Synced { revision } => {
                    if revision >= self.next {
                        self.take(model, revision, &[])?;
                    }
                    true
                }
                WatchStep::Compacted { compact_revision } => {
                    if self.next >= model.compact_revision {
                        return Err(format!("the watch at {} ends with compaction {compact_revision}", self.next));
                    }
                    self.is_over = true;
                    true
                }
                WatchStep::Unreadable(error) => return Err(format!("the watch at {} fails: {error}", self.next)),
            };
            // Asked after each answer, as a stream does when its client wants to know.
            if let Some(progress) = self.watcher.progress_revision().filter(|progress| *progress >= self.next) {
                return Err(format!("progress {progress} is told while events from {} are missing", self.next));
            }
            if over {
                break;
            }
        }
        Ok(())
    }

    /// Nothing is left to come.
    pub(crate) fn arrived(&self, model: &Model) -> Verdict {
        same("the revision after the watch's last event", self.next, model.revision + 1)
    }

    fn take(&mut self, model: &Model, through: i64, events: &[WatchEvent]) -> Verdict {
        if through < self.next || through > model.revision {
            return Err(format!("the watch at {} of {} goes to {through}", self.next, model.revision));
        }
        let right = model.history.range(self.next..=through);
        let right: Vec<WatchEvent> = right
            .flat_map(|(revision, events)| events.iter().map(|event| shown(event, *revision, model.compact_revision)))
            .collect();
        if events != right {
            let show = |events: &[WatchEvent]| events.iter().map(show_event).collect::<Vec<_>>();
            let (events, right) = (show(events), show(&right));
            return Err(format!("the watch from {} to {through} shows {events:?} instead of {right:?}", self.next));
        }
        self.next = through + 1;
        Ok(())
    }
}

/// The former version is left out at and below the compact revision.
fn shown(event: &Event, revision: i64, compact_revision: i64) -> WatchEvent {
    let Event { key, now, before } = event;
    let before = before.as_ref().filter(|_| revision > compact_revision).map(|before| before.encode(key));
    match now {
        Some(now) => WatchEvent { kind: WatchEventKind::Put, kv: now.encode(key), prev_kv: before },
        None => {
            let kv = KeyValue { key, mod_revision: revision, ..KeyValue::default() }.encode();
            WatchEvent { kind: WatchEventKind::Delete, kv, prev_kv: before }
        }
    }
}

fn show_event(event: &WatchEvent) -> String {
    let before = event.prev_kv.as_ref().map_or(String::new(), |before| format!(" was {}", show_version(before)));
    format!("{:?} {}{before}", event.kind, show_version(&event.kv))
}
