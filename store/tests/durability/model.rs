//! What a store must show: etcd's words, without a log, a tree or a thread.

use archipel_store::mvcc::{DeleteRangeRequest, KeyValue, Op, PutRequest};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A live version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Version {
    pub(crate) value: Bytes,
    pub(crate) create_revision: i64,
    pub(crate) mod_revision: i64,
    pub(crate) number: i64,
    pub(crate) lease: i64,
}

impl Version {
    pub(crate) fn encode(&self, key: &Bytes) -> Bytes {
        let Version { value, create_revision, mod_revision, number, lease } = self;
        let (create_revision, mod_revision, version, lease) = (*create_revision, *mod_revision, *number, *lease);
        KeyValue { key, create_revision, mod_revision, version, value, lease }.encode()
    }
}

/// What one revision did to one key.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) key: Bytes,
    /// None: deleted.
    pub(crate) now: Option<Arc<Version>>,
    pub(crate) before: Option<Arc<Version>>,
}

/// One moment of a store. A clone costs its number of keys and kept revisions.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) revision: i64,
    /// -1 = never.
    pub(crate) compact_revision: i64,
    pub(crate) live: BTreeMap<Bytes, Arc<Version>>,
    /// From the compact revision on.
    pub(crate) history: BTreeMap<i64, Arc<Vec<Event>>>,
    /// Granted seconds by id.
    pub(crate) leases: BTreeMap<i64, i64>,
}

impl Default for Model {
    fn default() -> Model {
        Model {
            revision: 1,
            compact_revision: -1,
            live: BTreeMap::new(),
            history: BTreeMap::new(),
            leases: BTreeMap::new(),
        }
    }
}

impl Model {
    /// One atomic change: all of it is one revision, and none if it does nothing.
    pub(crate) fn change(&mut self, ops: &[Op]) {
        let mut events = Vec::new();
        self.run(ops, &mut events);
        self.finish(events);
    }

    fn run(&mut self, ops: &[Op], events: &mut Vec<Event>) {
        for op in ops {
            match op {
                Op::Put(put) => events.push(self.put(put)),
                Op::DeleteRange(delete) => {
                    let keys: Vec<Bytes> = self.live.keys().filter(|key| covers(delete, key)).cloned().collect();
                    events.extend(keys.into_iter().map(|key| self.delete(key)));
                }
                // The workload nests only transactions without a comparison.
                Op::Txn(inner) => self.run(&inner.success, events),
                Op::Range(_) => {}
            }
        }
    }

    fn put(&mut self, put: &PutRequest) -> Event {
        let revision = self.revision + 1;
        let before = self.live.get(&put.key).cloned();
        let (create_revision, number) =
            before.as_ref().map_or((revision, 1), |before| (before.create_revision, before.number + 1));
        let (value, lease) = (put.value.clone(), put.lease);
        let now = Arc::new(Version { value, create_revision, mod_revision: revision, number, lease });
        self.live.insert(put.key.clone(), now.clone());
        Event { key: put.key.clone(), now: Some(now), before }
    }

    fn delete(&mut self, key: Bytes) -> Event {
        let before = self.live.remove(&key);
        Event { key, now: None, before }
    }

    fn finish(&mut self, events: Vec<Event>) {
        if !events.is_empty() {
            self.revision += 1;
            self.history.insert(self.revision, Arc::new(events));
        }
    }

    pub(crate) fn revoke(&mut self, id: i64) {
        self.leases.remove(&id);
        let events = self.keys_of_lease(id).into_iter().map(|key| self.delete(key)).collect();
        self.finish(events);
    }

    pub(crate) fn keys_of_lease(&self, id: i64) -> Vec<Bytes> {
        self.live.iter().filter(|(_, version)| version.lease == id).map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn compact(&mut self, revision: i64) {
        self.compact_revision = revision;
        self.history = self.history.split_off(&revision);
    }

    /// How many keys a deletion would delete.
    pub(crate) fn covered(&self, delete: &DeleteRangeRequest) -> i64 {
        self.live.keys().filter(|key| covers(delete, key)).count() as i64
    }

    /// Takes an old state one revision back.
    pub(crate) fn step_back(&self, live: &mut BTreeMap<Bytes, Arc<Version>>, revision: i64) {
        for Event { key, before, .. } in self.history.get(&revision).into_iter().flat_map(|events| events.iter().rev())
        {
            match before {
                Some(before) => drop(live.insert(key.clone(), before.clone())),
                None => drop(live.remove(key)),
            }
        }
    }
}

fn covers(delete: &DeleteRangeRequest, key: &Bytes) -> bool {
    if delete.range_end.is_empty() { *key == delete.key } else { delete.key <= *key && *key < delete.range_end }
}
