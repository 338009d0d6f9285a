//! Nodes, and the recursive part of insertion and removal.

use super::Weight;
use crate::sync::Arc;
use std::borrow::Borrow;

/// Most entries of a leaf and most children of an inner node. 32 keeps a copied leaf near 1 KiB.
pub(super) const FAN_OUT: usize = 32;
/// A node with fewer entries after a removal joins a neighbour if both fit into one.
const FILL_MIN: usize = FAN_OUT / 4;

#[derive(Debug)]
pub(super) enum Node<K, V> {
    Leaf(Vec<(K, V)>),
    Inner(Vec<Child<K, V>>),
}

/// An edge to a subtree. `first` is at or below the subtree's smallest key and above all keys to its left.
#[derive(Debug)]
pub(super) struct Child<K, V> {
    pub(super) first: K,
    pub(super) weight: u64,
    pub(super) node: Arc<Node<K, V>>,
}

impl<K: Clone, V> Clone for Child<K, V> {
    fn clone(&self) -> Self {
        Child { first: self.first.clone(), weight: self.weight, node: self.node.clone() }
    }
}

/// A copy is made to be written to, so it gets room for one more entry at once.
impl<K: Clone, V: Clone> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(entries) => Node::Leaf(roomy_copy(entries)),
            Node::Inner(children) => Node::Inner(roomy_copy(children)),
        }
    }
}

fn roomy_copy<T: Clone>(items: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity(FAN_OUT + 1);
    copy.extend_from_slice(items);
    copy
}

/// What an insertion did to the node it was asked of.
pub(super) struct Inserted<K, V> {
    pub(super) old: Option<V>,
    /// The upper part of the node, if it had to be split.
    pub(super) split: Option<Child<K, V>>,
}

impl<K: Ord + Clone, V: Clone + Weight> Node<K, V> {
    pub(super) fn weight(&self) -> u64 {
        match self {
            Node::Leaf(entries) => entries.iter().map(|(_, value)| value.weight()).sum(),
            Node::Inner(children) => children.iter().map(|child| child.weight).sum(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Node::Leaf(entries) => entries.len(),
            Node::Inner(children) => children.len(),
        }
    }

    pub(super) fn first(&self) -> Option<&K> {
        match self {
            Node::Leaf(entries) => entries.first().map(|(key, _)| key),
            Node::Inner(children) => children.first().map(|child| &child.first),
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) -> Inserted<K, V> {
        match self {
            Node::Leaf(entries) => insert_in_leaf(entries, key, value),
            Node::Inner(children) => insert_in_inner(children, key, value),
        }
    }

    /// Removes the key. The node may be left underfull or empty; its parent repairs that.
    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Node::Leaf(entries) => {
                let at = entries.binary_search_by(|(entry, _)| entry.borrow().cmp(key)).ok()?;
                Some(entries.remove(at).1)
            }
            Node::Inner(children) => {
                let at = child_index(children, key);
                let child = children.get_mut(at)?;
                let old = Arc::make_mut(&mut child.node).remove(key)?;
                child.weight -= old.weight();
                repair(children, at);
                Some(old)
            }
        }
    }
}

/// The child that holds `key` if any does.
pub(super) fn child_index<K: Borrow<Q>, V, Q: Ord + ?Sized>(children: &[Child<K, V>], key: &Q) -> usize {
    children.partition_point(|child| child.first.borrow() <= key).saturating_sub(1)
}

fn insert_in_leaf<K: Ord + Clone, V: Clone + Weight>(entries: &mut Vec<(K, V)>, key: K, value: V) -> Inserted<K, V> {
    let at = match entries.binary_search_by(|(entry, _)| entry.cmp(&key)) {
        Ok(at) => {
            let (_, slot) = entries.get_mut(at).expect("invariant: a found index is in bounds");
            return Inserted { old: Some(std::mem::replace(slot, value)), split: None };
        }
        Err(at) => at,
    };
    entries.insert(at, (key, value));
    let split = split_point(entries.len(), at).map(|middle| {
        let upper = roomy_split(entries, middle);
        let first = upper.first().expect("invariant: a split leaves both halves filled").0.clone();
        let weight = upper.iter().map(|(_, value)| value.weight()).sum();
        Child { first, weight, node: Arc::new(Node::Leaf(upper)) }
    });
    Inserted { old: None, split }
}

fn insert_in_inner<K: Ord + Clone, V: Clone + Weight>(
    children: &mut Vec<Child<K, V>>,
    key: K,
    value: V,
) -> Inserted<K, V> {
    let at = child_index(children, &key);
    let child = children.get_mut(at).expect("invariant: an inner node has a child");
    if key < child.first {
        child.first = key.clone();
    }
    let added = value.weight();
    let Inserted { old, split } = Arc::make_mut(&mut child.node).insert(key, value);
    child.weight = child.weight + added - old.as_ref().map_or(0, Weight::weight);
    let Some(upper) = split else { return Inserted { old, split: None } };
    child.weight -= upper.weight;
    children.insert(at + 1, upper);
    let split = split_point(children.len(), at + 1).map(|middle| {
        let upper = roomy_split(children, middle);
        let first = upper.first().expect("invariant: a split leaves both halves filled").first.clone();
        let weight = upper.iter().map(|child| child.weight).sum();
        Child { first, weight, node: Arc::new(Node::Inner(upper)) }
    });
    Inserted { old, split }
}

/// Where to split a node that just grew at `at`, if it must be. Growth at the end (revisions, sorted loads) leaves the
/// lower node full, since nothing will be inserted there again.
fn split_point(len: usize, at: usize) -> Option<usize> {
    match len {
        len if len <= FAN_OUT => None,
        len if at + 1 == len => Some(len - 1),
        len => Some(len / 2),
    }
}

fn roomy_split<T>(items: &mut Vec<T>, middle: usize) -> Vec<T> {
    let mut upper = Vec::with_capacity(FAN_OUT + 1);
    upper.extend(items.drain(middle..));
    upper
}

/// Drops an empty child; joins an underfull one with a neighbour when both fit into one node.
fn repair<K: Ord + Clone, V: Clone + Weight>(children: &mut Vec<Child<K, V>>, at: usize) {
    let len = |at: usize| children.get(at).map(|child| child.node.len());
    let Some(own) = len(at) else { return };
    if own == 0 {
        children.remove(at);
        return;
    }
    if own >= FILL_MIN {
        return;
    }
    let fits = |other: Option<usize>| other.is_some_and(|other| own + other <= FAN_OUT);
    let lower = if at > 0 && fits(len(at - 1)) {
        at - 1
    } else if fits(len(at + 1)) {
        at
    } else {
        return;
    };
    let upper = children.remove(lower + 1);
    let target = children.get_mut(lower).expect("invariant: the neighbour is there");
    target.weight += upper.weight;
    match (Arc::make_mut(&mut target.node), Arc::unwrap_or_clone(upper.node)) {
        (Node::Leaf(entries), Node::Leaf(more)) => entries.extend(more),
        (Node::Inner(nodes), Node::Inner(more)) => nodes.extend(more),
        _ => unreachable!("invariant: neighbours are of one height"),
    }
}
