//! The semilattice join of two states (state sync).
//!
//! A write stays if both sides hold it, or if the side that lacks it has never seen it. Everything else follows by
//! recursion; what becomes empty is pruned.

use super::life::{Life, Object};
use super::node::{Item, List, Node};
use super::sorted::Sorted;
use crate::dot::Dot;
use crate::version_vector::VersionVector;

/// The histories of both sides.
#[derive(Clone, Copy)]
struct Seen<'a> {
    left: &'a VersionVector,
    right: &'a VersionVector,
}

/// Joins two states of one key. `a_seen` and `b_seen` are the histories that the two states include.
///
/// Commutative, associative and idempotent; the result is the state of a site that has seen both histories.
pub fn join(a: &Object, a_seen: &VersionVector, b: &Object, b_seen: &VersionVector) -> Object {
    let seen = Seen { left: a_seen, right: b_seen };
    let both = |a: &Life, b: &Life| Life { born: a.born, info: a.info.clone(), root: a.root.join(&b.root, seen) };
    Object { lives: seen.join_dotted(&a.lives, &b.lives, |dot| *dot, both) }
}

impl Seen<'_> {
    /// Joins values that their keys' dots bring into being. What only one side holds was removed by the other, or is
    /// new to it; in the second case it comes with all its content, since who saw the content saw its dot.
    fn join_dotted<K: Ord + Clone, V: Clone>(
        self,
        a: &Sorted<K, V>,
        b: &Sorted<K, V>,
        dot: impl Fn(&K) -> Dot,
        both: impl Fn(&V, &V) -> V,
    ) -> Sorted<K, V> {
        a.merge(b, |key, a, b| match (a, b) {
            (Some(a), Some(b)) => Some(both(a, b)),
            (Some(a), None) => (!self.right.contains(dot(key))).then(|| a.clone()),
            (None, Some(b)) => (!self.left.contains(dot(key))).then(|| b.clone()),
            (None, None) => None,
        })
    }
}

impl Node {
    /// All writes of both: what a join is for sides that have seen nothing of each other.
    pub(super) fn union(&self, other: &Node) -> Node {
        let nothing = VersionVector::new();
        self.join(other, Seen { left: &nothing, right: &nothing })
    }

    fn join(&self, other: &Node, seen: Seen<'_>) -> Node {
        let empty = Node::default();
        let fields = self.fields.merge(&other.fields, |_, a, b| {
            Some(a.unwrap_or(&empty).join(b.unwrap_or(&empty), seen)).filter(|child| !child.is_empty())
        });
        let list = match (&self.list, &other.list) {
            (None, None) => None,
            (a, b) => {
                let empty = List::default();
                let joined = a.as_deref().unwrap_or(&empty).join(b.as_deref().unwrap_or(&empty), seen);
                Some(joined).filter(|list| !list.is_empty()).map(Box::new)
            }
        };
        Node { register: self.register.join(seen.left, &other.register, seen.right), fields, list }
    }
}

impl List {
    fn join(&self, other: &List, seen: Seen<'_>) -> List {
        let empty = Item::default();
        let items = self.items.merge(&other.items, |_, a, b| {
            let (a, b) = (a.unwrap_or(&empty), b.unwrap_or(&empty));
            let births = seen.join_dotted(&a.births, &b.births, |birth| birth.dot, |a, b| a.join(b, seen));
            Some(Item { births }).filter(|item| !item.births.is_empty())
        });
        List { items, order: self.order.join(seen.left, &other.order, seen.right) }
    }
}
