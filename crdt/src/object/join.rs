//! The semilattice join of two states (state sync).
//!
//! A write stays if both sides hold it, or if the side that lacks it has never seen it. Everything else follows by
//! recursion; what becomes empty is pruned.

use super::life::{Life, Object};
use super::node::{Item, List, Node};
use crate::version_vector::VersionVector;
use std::collections::BTreeMap;

/// Joins two states of one key. `a_seen` and `b_seen` are the histories that the two states include.
///
/// Commutative, associative and idempotent; the result is the state of a site that has seen both histories.
pub fn join(a: &Object, a_seen: &VersionVector, b: &Object, b_seen: &VersionVector) -> Object {
    let lives = join_maps(
        &a.lives,
        &b.lives,
        |dot, _| !b_seen.contains(*dot),
        |dot, _| !a_seen.contains(*dot),
        |x, y| Some(Life { born: x.born, info: x.info.clone(), root: x.root.join(a_seen, &y.root, b_seen) }),
    );
    Object { lives }
}

/// Values of both maps: those of both sides joined, those of one side kept on a condition, possibly changed by it.
fn join_maps<K: Ord + Clone, V: Clone>(
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
    keep_a: impl Fn(&K, &V) -> bool,
    keep_b: impl Fn(&K, &V) -> bool,
    both: impl Fn(&V, &V) -> Option<V>,
) -> BTreeMap<K, V> {
    let mut out = BTreeMap::new();
    for (k, v) in a {
        let joined = match b.get(k) {
            Some(other) => both(v, other),
            None => keep_a(k, v).then(|| v.clone()),
        };
        if let Some(v) = joined {
            out.insert(k.clone(), v);
        }
    }
    for (k, v) in b {
        if !a.contains_key(k) && keep_b(k, v) {
            out.insert(k.clone(), v.clone());
        }
    }
    out
}

impl Node {
    pub(super) fn join(&self, seen: &VersionVector, other: &Node, other_seen: &VersionVector) -> Node {
        let mut fields = BTreeMap::new();
        let empty = Node::default();
        for name in self.fields.keys().chain(other.fields.keys()) {
            if fields.contains_key(name) {
                continue;
            }
            let mine = self.fields.get(name).unwrap_or(&empty);
            let theirs = other.fields.get(name).unwrap_or(&empty);
            let joined = mine.join(seen, theirs, other_seen);
            if !joined.is_empty() {
                fields.insert(name.clone(), joined);
            }
        }
        let list = match (&self.list, &other.list) {
            (None, None) => None,
            (mine, theirs) => {
                let empty = List::default();
                let mine = mine.as_deref().unwrap_or(&empty);
                let theirs = theirs.as_deref().unwrap_or(&empty);
                Some(mine.join(seen, theirs, other_seen)).filter(|list| !list.is_empty()).map(Box::new)
            }
        };
        Node { register: self.register.join(seen, &other.register, other_seen), fields, list }
    }
}

impl List {
    fn join(&self, seen: &VersionVector, other: &List, other_seen: &VersionVector) -> List {
        let empty = Item::default();
        let mut items = BTreeMap::new();
        for key in self.items.keys().chain(other.items.keys()) {
            if items.contains_key(key) {
                continue;
            }
            let mine = self.items.get(key).unwrap_or(&empty);
            let theirs = other.items.get(key).unwrap_or(&empty);
            // A birth that the other side has never seen comes with its whole content: who saw a content saw its birth.
            let births = join_maps(
                &mine.births,
                &theirs.births,
                |birth, _| !other_seen.contains(birth.dot),
                |birth, _| !seen.contains(birth.dot),
                |a, b| Some(a.join(seen, b, other_seen)),
            );
            if !births.is_empty() {
                items.insert(key.clone(), Item { births });
            }
        }
        List { items, order: self.order.join(seen, &other.order, other_seen) }
    }
}
