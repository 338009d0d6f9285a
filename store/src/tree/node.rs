//! Nodes, and the recursive part of insertion and removal.

use super::Entry;
use crate::sync::Arc;
use arrayvec::ArrayVec;
use std::borrow::Borrow;

/// Most entries of a leaf and most children of an inner node. What a write copies is a leaf and a path of inner nodes,
/// and the price of a copy is the count of each thing that it points to: 16 keeps that low and the tree flat enough.
pub(super) const FAN_OUT: usize = 16;
/// A node with fewer entries after a removal joins a neighbour if both fit into one.
const FILL_MIN: usize = FAN_OUT / 4;

pub(super) type Leaf<E> = ArrayVec<E, FAN_OUT>;

#[derive(Debug)]
pub(super) enum Node<E: Entry> {
    Leaf(Arc<Leaf<E>>),
    Inner(Arc<Inner<E>>),
}

#[derive(Debug)]
pub(super) struct Inner<E: Entry> {
    /// Of each child: at or below its smallest key and above all keys to its left. They change when a child is split or
    /// goes, which is rare, so copies of the node share them.
    pub(super) separators: Arc<Vec<E::Separator>>,
    pub(super) children: ArrayVec<Child<E>, FAN_OUT>,
}

/// An edge to a subtree.
#[derive(Debug)]
pub(super) struct Child<E: Entry> {
    pub(super) weight: u64,
    pub(super) node: Node<E>,
}

/// A subtree with its separator.
pub(super) type Separated<E> = (<E as Entry>::Separator, Child<E>);

/// What a change did to the subtree it was asked of.
pub(super) struct Upserted<E: Entry> {
    pub(super) old: Option<E>,
    pub(super) added: u64,
    /// The upper part of the node, if it had to be split.
    pub(super) split: Option<Separated<E>>,
}

impl<E: Entry> Clone for Node<E> {
    fn clone(&self) -> Self {
        match self {
            Node::Leaf(leaf) => Node::Leaf(leaf.clone()),
            Node::Inner(inner) => Node::Inner(inner.clone()),
        }
    }
}

impl<E: Entry> Clone for Inner<E> {
    fn clone(&self) -> Self {
        Inner { separators: self.separators.clone(), children: self.children.clone() }
    }
}

impl<E: Entry> Clone for Child<E> {
    fn clone(&self) -> Self {
        Child { weight: self.weight, node: self.node.clone() }
    }
}

impl<E: Entry> Node<E> {
    /// A full-grown inner node from at most [`FAN_OUT`] subtrees.
    pub(super) fn above(subtrees: impl IntoIterator<Item = Separated<E>>) -> Node<E> {
        let (separators, children): (Vec<_>, ArrayVec<_, FAN_OUT>) = subtrees.into_iter().unzip();
        Node::Inner(Arc::new(Inner { separators: Arc::new(separators), children }))
    }

    pub(super) fn weight(&self) -> u64 {
        match self {
            Node::Leaf(leaf) => leaf.iter().map(Entry::weight).sum(),
            Node::Inner(inner) => inner.children.iter().map(|child| child.weight).sum(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Node::Leaf(leaf) => leaf.len(),
            Node::Inner(inner) => inner.children.len(),
        }
    }

    /// What may stand before it in a parent. None if it is empty.
    pub(super) fn separator(&self) -> Option<E::Separator> {
        match self {
            Node::Leaf(leaf) => leaf.first().map(Entry::separator),
            Node::Inner(inner) => inner.separators.first().cloned(),
        }
    }

    /// Puts what `make` makes of the entry with that key, if there is one, in its place.
    pub(super) fn upsert(&mut self, key: &E::Key, make: &mut dyn FnMut(Option<&E>) -> E) -> Upserted<E> {
        match self {
            Node::Leaf(leaf) => upsert_in_leaf(Arc::make_mut(leaf), key, make),
            Node::Inner(inner) => Arc::make_mut(inner).upsert(key, make),
        }
    }

    /// Removes the key. The node may be left underfull or empty; its parent repairs that.
    pub(super) fn remove(&mut self, key: &E::Key) -> Option<E> {
        match self {
            Node::Leaf(leaf) => {
                let at = leaf.binary_search_by(|entry| entry.key().cmp(key)).ok()?;
                Some(Arc::make_mut(leaf).remove(at))
            }
            Node::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let at = inner.child_index(key);
                let child = inner.children.get_mut(at)?;
                let old = child.node.remove(key)?;
                child.weight -= old.weight();
                inner.repair(at);
                Some(old)
            }
        }
    }
}

fn upsert_in_leaf<E: Entry>(leaf: &mut Leaf<E>, key: &E::Key, make: &mut dyn FnMut(Option<&E>) -> E) -> Upserted<E> {
    let at = match leaf.binary_search_by(|entry| entry.key().cmp(key)) {
        Ok(at) => {
            let slot = leaf.get_mut(at).expect("invariant: a found index is in bounds");
            let entry = make(Some(slot));
            let added = entry.weight();
            return Upserted { old: Some(std::mem::replace(slot, entry)), added, split: None };
        }
        Err(at) => at,
    };
    let entry = make(None);
    let added = entry.weight();
    let mut upper = (leaf.len() == FAN_OUT).then(|| leaf.drain(split_point(at)..).collect::<Leaf<E>>());
    match upper.as_mut() {
        Some(upper) if at > leaf.len() || upper.is_empty() => upper.insert(at - leaf.len(), entry),
        _ => leaf.insert(at, entry),
    }
    let split = upper.map(|upper| {
        let node = Node::Leaf(Arc::new(upper));
        let separator = node.separator().expect("invariant: a split leaves both halves filled");
        (separator, Child { weight: node.weight(), node })
    });
    Upserted { old: None, added, split }
}

/// Where to split a full node that grows at `at`. Growth at the end (revisions, sorted loads) leaves the lower node full,
/// since nothing will be inserted there again.
fn split_point(at: usize) -> usize {
    if at == FAN_OUT { FAN_OUT } else { FAN_OUT / 2 }
}

impl<E: Entry> Inner<E> {
    /// The child that holds `key` if any does.
    pub(super) fn child_index(&self, key: &E::Key) -> usize {
        self.separators.partition_point(|separator| separator.borrow() <= key).saturating_sub(1)
    }

    fn upsert(&mut self, key: &E::Key, make: &mut dyn FnMut(Option<&E>) -> E) -> Upserted<E> {
        let at = self.child_index(key);
        let is_lowest = self.separators.first().is_some_and(|first| key < first.borrow());
        let child = self.children.get_mut(at).expect("invariant: an inner node has a child");
        let Upserted { old, added, split } = child.node.upsert(key, make);
        child.weight = child.weight + added - old.as_ref().map_or(0, Entry::weight);
        if is_lowest
            && let Some(lowest) = child.node.separator()
            && let Some(first) = Arc::make_mut(&mut self.separators).first_mut()
        {
            *first = lowest;
        }
        let split = split.and_then(|upper| {
            if let Some(child) = self.children.get_mut(at) {
                child.weight -= upper.1.weight;
            }
            self.insert_child(at + 1, upper)
        });
        Upserted { old, added, split }
    }

    /// Makes room for a subtree; the upper half of the node if it had to be split.
    fn insert_child(&mut self, at: usize, (separator, child): Separated<E>) -> Option<Separated<E>> {
        let separators = Arc::make_mut(&mut self.separators);
        if self.children.len() < FAN_OUT {
            separators.insert(at, separator);
            self.children.insert(at, child);
            return None;
        }
        let middle = split_point(at);
        let mut upper = Inner {
            separators: Arc::new(separators.split_off(middle)),
            children: self.children.drain(middle..).collect(),
        };
        let half = if at > middle || upper.children.is_empty() { (&mut upper, at - middle) } else { (&mut *self, at) };
        let (node, at) = half;
        Arc::make_mut(&mut node.separators).insert(at, separator);
        node.children.insert(at, child);
        let node = Node::Inner(Arc::new(upper));
        let separator = node.separator().expect("invariant: a split leaves both halves filled");
        Some((separator, Child { weight: node.weight(), node }))
    }

    fn remove_child(&mut self, at: usize) -> Child<E> {
        Arc::make_mut(&mut self.separators).remove(at);
        self.children.remove(at)
    }

    /// Drops an empty child; joins an underfull one with a neighbour when both fit into one node.
    fn repair(&mut self, at: usize) {
        let len = |at: usize| self.children.get(at).map(|child| child.node.len());
        let Some(own) = len(at) else { return };
        if own == 0 {
            self.remove_child(at);
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
        let upper = self.remove_child(lower + 1);
        let target = self.children.get_mut(lower).expect("invariant: the neighbour is there");
        target.weight += upper.weight;
        match (&mut target.node, upper.node) {
            (Node::Leaf(leaf), Node::Leaf(more)) => Arc::make_mut(leaf).extend(Arc::unwrap_or_clone(more)),
            (Node::Inner(inner), Node::Inner(more)) => {
                let (inner, more) = (Arc::make_mut(inner), Arc::unwrap_or_clone(more));
                Arc::make_mut(&mut inner.separators).extend(Arc::unwrap_or_clone(more.separators));
                inner.children.extend(more.children);
            }
            _ => unreachable!("invariant: neighbours are of one height"),
        }
    }
}
