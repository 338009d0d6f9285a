//! A store on a simulated disk, and short words for requests.

use archipel_store::clock::ManualClock;
use archipel_store::disk::SimulatedDisk;
use archipel_store::index::MemoryIndex;
use archipel_store::mvcc::{DeleteRangeRequest, KeyValue, PutRequest, RangeRequest};
use archipel_store::watch::{WatchEvent, WatchEventKind, WatchRequest, WatchStep, Watcher};
use archipel_store::{Config, Store};
use bytes::Bytes;
use std::future::Future;
use std::sync::Arc;

/// A disk, a clock and an index that outlive the store on them.
pub(crate) struct Site {
    pub(crate) disk: SimulatedDisk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) index: MemoryIndex,
    pub(crate) segment_bytes: u32,
}

impl Site {
    pub(crate) fn new(seed: u64) -> Site {
        let disk = SimulatedDisk::new(seed);
        Site { disk, clock: Arc::new(ManualClock::at(1)), index: MemoryIndex::default(), segment_bytes: 64 << 10 }
    }

    pub(crate) fn open(&self) -> Store {
        // A cache of a few values: most reads go to the disk.
        let (segment_bytes, value_cache_bytes) = (self.segment_bytes, 1 << 10);
        let config = Config { background: false, segment_bytes, value_cache_bytes, ..Config::new("/site", "nantes") };
        Store::open_on(config, Arc::new(self.disk.clone()), self.clock.clone(), Arc::new(self.index.clone())).unwrap()
    }
}

/// Runs a future to its end on this thread.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn put_request(key: &str, value: &str) -> PutRequest {
    PutRequest { key: bytes(key), value: bytes(value), ..PutRequest::default() }
}

/// Puts and returns the revision.
pub(crate) fn put(store: &Store, key: &str, value: &str) -> i64 {
    run(store.put(put_request(key, value))).unwrap().0
}

/// Deletes one key and returns the revision.
pub(crate) fn delete(store: &Store, key: &str) -> i64 {
    run(store.delete_range(DeleteRangeRequest { key: bytes(key), ..DeleteRangeRequest::default() })).unwrap().0
}

pub(crate) fn range_request(key: &str, end: &str) -> RangeRequest {
    RangeRequest { key: bytes(key), range_end: bytes(end), ..RangeRequest::default() }
}

/// A version as `key=value@mod_revision`, with creation and number behind it.
pub(crate) fn show(kv: &Bytes) -> String {
    let kv = KeyValue::decode(kv).unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}={}@{}/{}/{}", text(kv.key), text(kv.value), kv.mod_revision, kv.create_revision, kv.version)
}

/// All live versions at a revision; 0 = now.
pub(crate) fn dump(store: &Store, revision: i64) -> Vec<String> {
    let request = RangeRequest { revision, ..range_request("\0", "\0") };
    store.range(&request).unwrap().1.kvs.iter().map(show).collect()
}

pub(crate) fn watch(store: &Store, start_revision: i64) -> Watcher {
    let all = WatchRequest {
        key: bytes("\0"),
        range_end: bytes("\0"),
        start_revision,
        prev_kv: true,
        ..WatchRequest::default()
    };
    store.watch(all)
}

pub(crate) fn show_event(event: &WatchEvent) -> String {
    let kind = if event.kind == WatchEventKind::Put { "put" } else { "delete" };
    let before = event.prev_kv.as_ref().map_or(String::new(), |kv| format!(" was {}", show(kv)));
    format!("{kind} {}{before}", show(&event.kv))
}

/// Everything that a watcher has to say now.
pub(crate) fn drain(watcher: &mut Watcher) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match watcher.poll_events(usize::MAX) {
            WatchStep::Events { events, .. } => all.extend(events.iter().map(show_event)),
            WatchStep::Synced { .. } => return all,
            WatchStep::Unreadable(error) => panic!("{error}"),
            WatchStep::Compacted { compact_revision } => {
                all.push(format!("compacted {compact_revision}"));
                return all;
            }
        }
    }
}
