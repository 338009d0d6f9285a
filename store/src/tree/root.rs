//! The tree's public face.

use super::iter::{Backward, Forward};
use super::node::{Child, FAN_OUT, Leaf, Node, Upserted};
use crate::sync::Arc;
use std::borrow::Borrow;
use std::ops::Bound;

/// What a tree holds: something with a key of its own. A clone is cheap, and is the same entry.
pub trait Entry: Clone {
    /// What the entries are ordered by.
    type Key: Ord + ?Sized;
    /// A key by itself, for the nodes above the entries.
    type Separator: Borrow<Self::Key> + Clone + std::fmt::Debug;

    /// Its key; it must not change while the entry is in a tree.
    fn key(&self) -> &Self::Key;

    /// Its key, to keep.
    fn separator(&self) -> Self::Separator;

    /// How much it counts in [`Tree::count`]; it must not change while the entry is in a tree. Entries of weight 0 are
    /// stored and iterated, but not counted.
    fn weight(&self) -> u64 {
        1
    }
}

/// An ordered set of entries with O(1) snapshots: `clone` is a snapshot. All other operations are O(log n).
#[derive(Debug)]
pub struct Tree<E: Entry> {
    root: Node<E>,
    len: usize,
}

impl<E: Entry> Clone for Tree<E> {
    fn clone(&self) -> Self {
        Tree { root: self.root.clone(), len: self.len }
    }
}

impl<E: Entry> Default for Tree<E> {
    fn default() -> Self {
        Tree { root: Node::Leaf(Arc::new(Leaf::new())), len: 0 }
    }
}

impl<E: Entry> Tree<E> {
    /// An empty tree.
    pub fn new() -> Self {
        Tree::default()
    }

    /// Builds a tree with full nodes from entries in strictly ascending order. O(n).
    pub fn from_sorted(entries: impl IntoIterator<Item = E>) -> Self {
        let mut len = 0;
        let mut level = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let leaf: Leaf<E> = entries.by_ref().take(FAN_OUT).collect();
            debug_assert!(leaf.is_sorted_by(|a, b| a.key() < b.key()), "entries are in ascending order");
            len += leaf.len();
            level.push(Node::Leaf(Arc::new(leaf)));
        }
        while level.len() > 1 {
            let mut nodes = level.into_iter().map(separated).peekable();
            let mut above = Vec::new();
            while nodes.peek().is_some() {
                above.push(Node::above(nodes.by_ref().take(FAN_OUT)));
            }
            level = above;
        }
        level.pop().map_or_else(Tree::default, |root| Tree { root, len })
    }

    /// Number of entries, those of weight 0 included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Weight of all entries.
    pub fn weight(&self) -> u64 {
        self.root.weight()
    }

    /// The entry with a key.
    pub fn get(&self, key: &E::Key) -> Option<&E> {
        let mut node = &self.root;
        loop {
            match node {
                Node::Inner(inner) => node = &inner.children.get(inner.child_index(key))?.node,
                Node::Leaf(leaf) => {
                    let at = leaf.binary_search_by(|entry| entry.key().cmp(key)).ok()?;
                    return leaf.get(at);
                }
            }
        }
    }

    /// Inserts an entry and returns the one that it replaces.
    pub fn insert(&mut self, entry: E) -> Option<E> {
        let key = entry.clone();
        self.upsert(key.key(), |_| entry)
    }

    /// Inserts what `make` makes of the entry with that key, if there is one, and returns that one. `make` must keep
    /// the key.
    pub fn upsert(&mut self, key: &E::Key, make: impl FnOnce(Option<&E>) -> E) -> Option<E> {
        let mut make = Some(make);
        let mut once = |old: Option<&E>| make.take().expect("invariant: one place is found for a key")(old);
        let Upserted { old, split, .. } = self.root.upsert(key, &mut once);
        if let Some(upper) = split {
            let lower = std::mem::replace(&mut self.root, Tree::default().root);
            self.root = Node::above([separated(lower), upper]);
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes the entry with a key.
    pub fn remove(&mut self, key: &E::Key) -> Option<E> {
        // Looking first keeps a miss from copying a shared path.
        self.get(key)?;
        let old = self.root.remove(key)?;
        self.len -= 1;
        while let Node::Inner(inner) = &self.root {
            match inner.children.as_slice() {
                [] => self.root = Tree::default().root,
                [only] => self.root = only.node.clone(),
                _ => break,
            }
        }
        Some(old)
    }

    /// Weight of all entries in the interval. 0 if it is reversed.
    pub fn count(&self, start: Bound<&E::Key>, end: Bound<&E::Key>) -> u64 {
        let before_end = match end {
            Bound::Unbounded => self.weight(),
            Bound::Excluded(end) => self.rank(|key| key < end),
            Bound::Included(end) => self.rank(|key| key <= end),
        };
        let before_start = match start {
            Bound::Unbounded => 0,
            Bound::Excluded(start) => self.rank(|key| key <= start),
            Bound::Included(start) => self.rank(|key| key < start),
        };
        before_end.saturating_sub(before_start)
    }

    /// Weight of the entries for which `before` holds; it must hold for a prefix of the order.
    fn rank(&self, before: impl Fn(&E::Key) -> bool) -> u64 {
        let mut rank = 0;
        let mut node = &self.root;
        loop {
            match node {
                Node::Leaf(leaf) => {
                    let inside = leaf.iter().take_while(|entry| before(entry.key()));
                    return rank + inside.map(Entry::weight).sum::<u64>();
                }
                Node::Inner(inner) => {
                    let before = |separator: &E::Separator| before(separator.borrow());
                    let at = inner.separators.partition_point(before).saturating_sub(1);
                    let (lower, rest) = inner.children.split_at(at);
                    rank += lower.iter().map(|child| child.weight).sum::<u64>();
                    node = &rest.first().expect("invariant: an inner node has a child").node;
                }
            }
        }
    }

    /// Entries of the interval in ascending order. Empty if it is reversed.
    pub fn range<'a, 'b>(&'a self, start: Bound<&E::Key>, end: Bound<&'b E::Key>) -> Forward<'a, 'b, E> {
        Forward::new(&self.root, start, end)
    }

    /// Entries of the interval in descending order. Empty if it is reversed.
    pub fn range_back<'a, 'b>(&'a self, start: Bound<&'b E::Key>, end: Bound<&E::Key>) -> Backward<'a, 'b, E> {
        Backward::new(&self.root, start, end)
    }

    /// All entries in ascending order.
    pub fn iter(&self) -> Forward<'_, '_, E> {
        self.range(Bound::Unbounded, Bound::Unbounded)
    }

    /// The entry with the largest key.
    pub fn last(&self) -> Option<&E> {
        self.range_back(Bound::Unbounded, Bound::Unbounded).next()
    }
}

fn separated<E: Entry>(node: Node<E>) -> (E::Separator, Child<E>) {
    let separator = node.separator().expect("invariant: a built node is filled");
    (separator, Child { weight: node.weight(), node })
}
