//! The tree against `BTreeMap`: the same answers after any history, and snapshots that never change.

use super::{Entry, Tree};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::Bound;

/// A key with a value. Even values are not counted, as tombstones are not.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Pair(u16, u32);

impl Entry for Pair {
    type Key = u16;
    type Separator = u16;

    fn key(&self) -> &u16 {
        &self.0
    }

    fn separator(&self) -> u16 {
        self.0
    }

    fn weight(&self) -> u64 {
        u64::from(self.1 % 2)
    }
}

type Model = BTreeMap<u16, Pair>;

#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u32),
    Remove(u16),
    RemoveMany(u16, u16),
    Append(u16),
    Snapshot,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0u16..600, any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        3 => (0u16..600).prop_map(Step::Remove),
        1 => (0u16..600, 0u16..200).prop_map(|(start, length)| Step::RemoveMany(start, length)),
        1 => (1u16..200).prop_map(Step::Append),
        1 => Just(Step::Snapshot),
    ]
}

fn bound() -> impl Strategy<Value = Bound<u16>> {
    prop_oneof![Just(Bound::Unbounded), (0u16..700).prop_map(Bound::Included), (0u16..700).prop_map(Bound::Excluded)]
}

/// BTreeMap panics on a reversed or empty interval; the tree answers with nothing.
fn is_empty(start: Bound<u16>, end: Bound<u16>) -> bool {
    match (start, end) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
        _ => false,
    }
}

fn check(tree: &Tree<Pair>, model: &Model, start: Bound<u16>, end: Bound<u16>) {
    assert_eq!(tree.len(), model.len());
    assert_eq!(tree.weight(), model.values().map(Entry::weight).sum::<u64>());
    let inside: Vec<Pair> =
        if is_empty(start, end) { Vec::new() } else { model.range((start, end)).map(|(_, pair)| *pair).collect() };
    let forward: Vec<_> = tree.range(start.as_ref(), end.as_ref()).copied().collect();
    assert_eq!(forward, inside);
    let mut backward: Vec<_> = tree.range_back(start.as_ref(), end.as_ref()).copied().collect();
    backward.reverse();
    assert_eq!(backward, inside);
    assert_eq!(tree.count(start.as_ref(), end.as_ref()), inside.iter().map(Entry::weight).sum::<u64>());
}

proptest! {
    #[test]
    fn behaves_like_a_btree_map(
        steps in proptest::collection::vec(step(), 1..400),
        start in bound(),
        end in bound(),
    ) {
        let mut tree = Tree::new();
        let mut model = BTreeMap::new();
        let mut snapshots = Vec::new();
        for step in steps {
            match step {
                Step::Insert(key, value) => {
                    prop_assert_eq!(tree.insert(Pair(key, value)), model.insert(key, Pair(key, value)));
                }
                Step::Remove(key) => {
                    prop_assert_eq!(tree.get(&key), model.get(&key));
                    prop_assert_eq!(tree.remove(&key), model.remove(&key));
                }
                Step::RemoveMany(start, length) => {
                    for key in start..start + length {
                        prop_assert_eq!(tree.remove(&key), model.remove(&key));
                    }
                }
                Step::Append(length) => {
                    let from = model.keys().last().map_or(0, |last: &u16| last.saturating_add(1));
                    for key in from..from.saturating_add(length) {
                        tree.insert(Pair(key, u32::from(key)));
                        model.insert(key, Pair(key, u32::from(key)));
                    }
                }
                Step::Snapshot => snapshots.push((tree.clone(), model.clone())),
            }
        }
        snapshots.push((tree, model));
        for (tree, model) in &snapshots {
            check(tree, model, start, end);
            check(tree, model, Bound::Unbounded, Bound::Unbounded);
            for key in 0..600 {
                prop_assert_eq!(tree.get(&key), model.get(&key));
            }
        }
    }

    #[test]
    fn a_built_tree_equals_an_inserted_one(
        values in proptest::collection::btree_map(0u16..3000, any::<u32>(), 0..1500),
        start in bound(),
        end in bound(),
        removed in proptest::collection::vec(0u16..3000, 0..500),
    ) {
        let mut model: Model = values.into_iter().map(|(key, value)| (key, Pair(key, value))).collect();
        let mut tree = Tree::from_sorted(model.values().copied());
        check(&tree, &model, start, end);
        for key in removed {
            prop_assert_eq!(tree.remove(&key), model.remove(&key));
        }
        check(&tree, &model, start, end);
    }
}

#[test]
fn removing_everything_leaves_an_empty_tree() {
    let mut tree = Tree::from_sorted((0..10_000).map(|key| Pair(key, 1)));
    for key in (0..10_000).rev() {
        assert_eq!(tree.remove(&key), Some(Pair(key, 1)));
    }
    assert!(tree.is_empty() && tree.weight() == 0 && tree.iter().next().is_none());
    tree.insert(Pair(1, 1));
    assert_eq!(tree.last(), Some(&Pair(1, 1)));
}

#[test]
fn what_is_made_of_an_entry_takes_its_place() {
    let mut tree = Tree::from_sorted((0..1_000).map(|key| Pair(key, 1)));
    let before = tree.clone();
    assert_eq!(tree.upsert(&500, |old| Pair(500, old.map_or(0, |old| old.1 + 1))), Some(Pair(500, 1)));
    assert_eq!(tree.upsert(&5_000, |old| Pair(5_000, old.map_or(7, |old| old.1))), None);
    assert_eq!((tree.get(&500), tree.get(&5_000)), (Some(&Pair(500, 2)), Some(&Pair(5_000, 7))));
    assert_eq!((before.get(&500), before.get(&5_000)), (Some(&Pair(500, 1)), None));
    assert_eq!((tree.weight(), tree.len(), before.weight()), (1_000, 1_001, 1_000));
}
