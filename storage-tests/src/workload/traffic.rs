//! What clients ask for.

use super::{
    call::{call, everything},
    recorder::Recorder,
};
use crate::{
    client::Client,
    differential::Random,
    history::{Kv, Outcome, Read, Request, Write, WriteOp},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Keys of all clients together.
const KEYS: i64 = 12;
/// A client waits so long after a call that had no answer.
const AFTER_UNKNOWN: Duration = Duration::from_millis(3);

/// How often each kind of request comes, in relation to the others.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Mix {
    pub put: u64,
    pub delete: u64,
    pub txn: u64,
    pub get: u64,
    pub list: u64,
    pub old: u64,
    pub lease: u64,
}

impl Mix {
    /// A bit of everything.
    pub const EVERYTHING: Mix = Mix { put: 30, delete: 12, txn: 20, get: 12, list: 14, old: 8, lease: 4 };
    /// What kube-apiserver sends: guarded updates, and lists.
    pub const KUBERNETES: Mix = Mix { put: 0, delete: 3, txn: 45, get: 10, list: 30, old: 10, lease: 2 };
    /// Creations and deletions only, for what can go wrong with tombstones.
    pub const CREATE_DELETE: Mix = Mix { put: 60, delete: 40, txn: 0, get: 0, list: 0, old: 0, lease: 0 };
    /// Only transactions.
    pub const TRANSACTIONS: Mix = Mix { put: 0, delete: 0, txn: 90, get: 5, list: 5, old: 0, lease: 0 };
}

/// One client.
#[derive(Debug)]
pub(super) struct Traffic {
    number: usize,
    random: Random,
    mix: Mix,
    /// Some leases end by themselves. A restart gives every lease its whole time again, so not in a run of restarts.
    short_leases: bool,
    written: u64,
    /// The last version seen of each key, for guards.
    seen: BTreeMap<String, i64>,
    leases: Vec<i64>,
}

impl Traffic {
    pub(super) fn new(number: usize, seed: u64, mix: Mix, short_leases: bool) -> Traffic {
        let random = Random::new(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9));
        Traffic { number, random, mix, short_leases, written: 0, seen: BTreeMap::new(), leases: Vec::new() }
    }

    /// Asks until it is told to stop; pauses `between` two requests.
    pub(super) async fn run(
        mut self,
        mut client: Client,
        recorder: Arc<Recorder>,
        stop: CancellationToken,
        between: Duration,
    ) {
        while !stop.is_cancelled() {
            let request = self.request(recorder.revision());
            let called_ns = recorder.now_ns();
            let outcome = call(&mut client, &request).await;
            self.learn(&request, &outcome);
            let unknown = outcome == Outcome::Unknown;
            recorder.operation(self.number, called_ns, request, outcome);
            if unknown {
                tokio::time::sleep(AFTER_UNKNOWN).await;
            } else if !between.is_zero() {
                tokio::time::sleep(between).await;
            }
        }
    }

    fn key(&mut self) -> String {
        format!("r/{:02}", self.random.between(0, KEYS))
    }

    fn put(&mut self, key: String) -> WriteOp {
        self.written += 1;
        let lease = if self.leases.is_empty() || self.random.percent(80) { 0 } else { self.random.pick(&self.leases) };
        WriteOp::Put { key, value: format!("{}.{}", self.number, self.written), lease }
    }

    fn request(&mut self, revision: i64) -> Request {
        let Mix { put, delete, txn, get, list, old, lease } = self.mix;
        let key = self.key();
        match self.random.weighted(&[put, delete, txn, get, list, old, lease]) {
            0 => Request::Write(Write { guard: None, ops: vec![self.put(key)] }),
            1 => Request::Write(Write { guard: None, ops: vec![WriteOp::Delete { key }] }),
            2 => Request::Write(self.transaction(key)),
            3 => Request::Read(Read { key, ..Read::default() }),
            4 => Request::Read(Read { limit: self.random.below(6), ..everything() }),
            5 => {
                let back = self.random.between(0, 150);
                Request::Read(Read { revision: (revision - back).max(1), ..everything() })
            }
            _ => self.lease(),
        }
    }

    fn transaction(&mut self, key: String) -> Write {
        let known = self.seen.get(&key).copied().unwrap_or(0);
        let guard = self.random.percent(70).then(|| (key.clone(), known));
        let mut keys = vec![key, self.key(), self.key()];
        keys.truncate(1 + self.random.below(3));
        keys.sort();
        keys.dedup();
        let ops =
            keys.into_iter().map(|key| if self.random.percent(75) { self.put(key) } else { WriteOp::Delete { key } });
        Write { guard, ops: ops.collect() }
    }

    fn lease(&mut self) -> Request {
        if self.leases.len() > 2 {
            return Request::Revoke(self.leases.swap_remove(0));
        }
        self.written += 1;
        let lease = (self.number as i64 + 1) * 1_000_000 + i64::try_from(self.written).unwrap_or(0);
        let ttl_s = if self.short_leases && self.random.percent(30) { 2 } else { 600 };
        Request::Grant { lease, ttl_s }
    }

    fn learn(&mut self, request: &Request, outcome: &Outcome) {
        let saw = |seen: &mut BTreeMap<String, i64>, kv: &Kv| {
            seen.insert(kv.key.clone(), kv.mod_revision);
        };
        match (request, outcome) {
            (Request::Write(write), Outcome::Written { revision, succeeded: true, .. }) => {
                for op in &write.ops {
                    let now = if matches!(op, WriteOp::Put { .. }) { *revision } else { 0 };
                    self.seen.insert(op.key().to_owned(), now);
                }
            }
            (Request::Write(write), Outcome::Written { succeeded: false, .. }) => {
                for op in &write.ops {
                    self.seen.remove(op.key());
                }
            }
            (Request::Read(read), Outcome::Found { kvs, .. }) if read.revision == 0 => {
                kvs.iter().for_each(|kv| saw(&mut self.seen, kv));
            }
            (Request::Grant { lease, .. }, Outcome::Done { .. }) => self.leases.push(*lease),
            (Request::Write(write), Outcome::Refused(_)) => {
                // The lease has ended.
                for op in &write.ops {
                    if let WriteOp::Put { lease, .. } = op {
                        self.leases.retain(|known| known != lease);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Compacts at the given interval, up to where the watch that sees everything has come.
pub(super) async fn compact(mut client: Client, recorder: Arc<Recorder>, stop: CancellationToken, every: Duration) {
    const NUMBER: usize = usize::MAX;
    let mut behind = [0, 3, 30, 100].into_iter().cycle();
    while !stop.is_cancelled() {
        tokio::time::sleep(every).await;
        let at = recorder.watched() - behind.next().unwrap_or(0);
        if at < 2 {
            continue;
        }
        let (called_ns, request) = (recorder.now_ns(), Request::Compact(at));
        let outcome = call(&mut client, &request).await;
        recorder.operation(NUMBER, called_ns, request, outcome);
    }
}
