//! Random work on a disk that forgets what was not synced, and power cuts at random operations.
//!
//! What could go wrong: an acknowledged write is lost, the revision or the compact revision goes back, or half of a
//! transaction survives. Promised: after a cut the store shows some prefix of what was evaluated, and that prefix
//! contains everything that was acknowledged. `ARCHIPEL_CRASH_SEEDS` sets how many seeds run.

use crate::common::{Site, bytes, dump, put_request, run};
use archipel_store::Store;
use archipel_store::mvcc::{DeleteRangeRequest, Op, TxnRequest};
use std::collections::BTreeMap;

/// Small and good enough (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// Live keys with their shown versions, at each revision that was evaluated.
#[derive(Clone, Default)]
struct Model {
    states: BTreeMap<i64, BTreeMap<String, String>>,
    acknowledged: i64,
    compacted: i64,
    compact_asked: i64,
}

impl Model {
    fn apply(&mut self, revision: i64, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut state = self.states.last_key_value().map(|(_, state)| state.clone()).unwrap_or_default();
        change(&mut state);
        self.states.insert(revision, state);
    }

    fn newest(&self) -> i64 {
        self.states.last_key_value().map_or(1, |(revision, _)| *revision)
    }
}

fn write_key(state: &mut BTreeMap<String, String>, key: &str, value: &str, revision: i64) {
    let (create, number) = state.get(key).map_or((revision, 0), |shown| {
        let mut fields = shown.rsplit('/');
        let number: i64 = fields.next().unwrap().parse().unwrap();
        (fields.next().unwrap().parse().unwrap(), number)
    });
    state.insert(key.to_owned(), format!("{key}={value}@{revision}/{create}/{}", number + 1));
}

/// One random step. The model is told before the outcome is known: what is not acknowledged may have survived.
fn step(store: &Store, model: &mut Model, random: &mut Random) -> bool {
    let next = model.newest() + 1;
    let key = format!("k{}", random.below(12));
    let value = "v".repeat(1 + random.below(300) as usize);
    let outcome = match random.below(20) {
        0 => {
            let revision = model.newest() - random.below(4) as i64;
            if revision <= model.compact_asked.max(1) {
                return true;
            }
            model.compact_asked = revision;
            let done = run(store.compact(revision, random.below(2) == 0)).map(|_| ());
            if done.is_ok() {
                model.compacted = revision;
            }
            done
        }
        1 => store.maintain(),
        2..=4 => {
            if !model.states.last_key_value().is_some_and(|(_, state)| state.contains_key(&key)) {
                return true;
            }
            model.apply(next, |state| drop(state.remove(&key)));
            run(store.delete_range(DeleteRangeRequest { key: bytes(&key), ..DeleteRangeRequest::default() }))
                .map(|_| ())
        }
        5..=7 => {
            let other = format!("t{}", random.below(12));
            model.apply(next, |state| {
                write_key(state, &key, &value, next);
                write_key(state, &other, "t", next);
            });
            let success = vec![Op::Put(put_request(&key, &value)), Op::Put(put_request(&other, "t"))];
            run(store.txn(TxnRequest { success, ..TxnRequest::default() })).map(|_| ())
        }
        _ => {
            model.apply(next, |state| write_key(state, &key, &value, next));
            run(store.put(put_request(&key, &value))).map(|_| ())
        }
    };
    if outcome.is_ok() {
        model.acknowledged = model.newest();
    }
    outcome.is_ok()
}

/// The store after a cut is a prefix of the model that has everything acknowledged. The model then follows the store.
fn check(store: &Store, model: &mut Model, what: &str) {
    let (revision, compacted) = (store.revision(), store.compact_revision());
    assert!(revision >= model.acknowledged.max(1) && revision <= model.newest(), "{what}: revision {revision}");
    assert!(compacted >= model.compacted.min(model.compact_asked) || compacted == -1 && model.compacted == 0, "{what}");
    assert!(compacted <= model.compact_asked.max(-1), "{what}: compacted {compacted}");
    model.states.retain(|at, _| *at <= revision);
    model.acknowledged = revision;
    model.compacted = compacted.max(0);
    model.compact_asked = model.compacted;
    for (at, state) in model.states.range(compacted.max(1)..) {
        let expected: Vec<&String> = state.values().collect();
        assert_eq!(dump(store, *at).iter().collect::<Vec<_>>(), expected, "{what}: at revision {at} of {revision}");
    }
}

fn crash_story(seed: u64, plant_no_sync: bool) {
    let mut random = Random(seed);
    let mut site = Site { segment_bytes: 4 << 10 << random.below(3), ..Site::new(seed) };
    site.disk.plant_no_sync(plant_no_sync);
    let mut model = Model::default();
    for cycle in 0..3 {
        let store = site.open();
        check(&store, &mut model, &format!("seed {seed} cycle {cycle}"));
        if random.below(3) > 0 {
            site.disk.cut_after(random.below(120));
        }
        for _ in 0..random.below(80) {
            if !step(&store, &mut model, &mut random) {
                break;
            }
        }
        if random.below(8) == 0 {
            run(store.close());
        }
        drop(store);
        site.disk.crash();
        match random.below(3) {
            0 => site.index.crash(),
            1 => site.index = Default::default(),
            _ => {}
        }
    }
    let store = site.open();
    check(&store, &mut model, &format!("seed {seed} at the end"));
}

fn seeds() -> u64 {
    std::env::var("ARCHIPEL_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(300)
}

#[test]
fn nothing_acknowledged_is_lost() {
    for seed in 0..seeds() {
        crash_story(seed, false);
    }
}

/// The checker has teeth: a sync that does nothing is noticed.
#[test]
fn a_disk_that_does_not_sync_is_noticed() {
    let noticed = (0..30).filter(|seed| std::panic::catch_unwind(|| crash_story(*seed, true)).is_err()).count();
    assert!(noticed > 5, "{noticed} of 30");
}
