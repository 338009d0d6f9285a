//! The tree's public face.

use super::iter::{Backward, Forward};
use super::node::{Child, FAN_OUT, Inserted, Node, child_index};
use crate::sync::Arc;
use std::borrow::Borrow;
use std::ops::Bound;

/// How much a value counts in [`Tree::count`]. Entries of weight 0 are stored and iterated, but not counted.
pub trait Weight {
    /// The weight; it must not change while the value is in a tree.
    fn weight(&self) -> u64 {
        1
    }
}

impl Weight for () {}
impl Weight for bytes::Bytes {}

/// An ordered map with O(1) snapshots: `clone` is a snapshot. All other operations are O(log n).
#[derive(Debug)]
pub struct Tree<K, V> {
    root: Arc<Node<K, V>>,
    len: usize,
}

impl<K, V> Clone for Tree<K, V> {
    fn clone(&self) -> Self {
        Tree { root: self.root.clone(), len: self.len }
    }
}

impl<K, V> Default for Tree<K, V> {
    fn default() -> Self {
        Tree { root: Arc::new(Node::Leaf(Vec::new())), len: 0 }
    }
}

impl<K: Ord + Clone, V: Clone + Weight> Tree<K, V> {
    /// An empty tree.
    pub fn new() -> Self {
        Tree::default()
    }

    /// Builds a tree with full nodes from entries in strictly ascending order. O(n).
    pub fn from_sorted(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut len = 0;
        let mut level = Vec::new();
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let leaf: Vec<(K, V)> = entries.by_ref().take(FAN_OUT).collect();
            debug_assert!(leaf.is_sorted_by(|a, b| a.0 < b.0), "entries are in ascending order");
            len += leaf.len();
            level.push(edge_to(Node::Leaf(leaf)));
        }
        while level.len() > 1 {
            let mut nodes = level.into_iter().peekable();
            let mut above = Vec::new();
            while nodes.peek().is_some() {
                above.push(edge_to(Node::Inner(nodes.by_ref().take(FAN_OUT).collect())));
            }
            level = above;
        }
        level.pop().map_or_else(Tree::default, |top| Tree { root: top.node, len })
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

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.get_entry(key).map(|(_, value)| value)
    }

    /// The value of a key, with the key object that the tree holds.
    pub fn get_entry<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(children) => node = &children.get(child_index(children, key))?.node,
                Node::Leaf(entries) => {
                    let at = entries.binary_search_by(|(entry, _)| entry.borrow().cmp(key)).ok()?;
                    return entries.get(at).map(|(key, value)| (key, value));
                }
            }
        }
    }

    /// Sets the value of a key and returns the former one. An existing key object is kept.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let Inserted { old, split } = Arc::make_mut(&mut self.root).insert(key, value);
        if let Some(upper) = split {
            let lower = Child {
                first: self.root.first().expect("invariant: a split leaves both halves filled").clone(),
                weight: self.root.weight(),
                node: self.root.clone(),
            };
            self.root = Arc::new(Node::Inner(vec![lower, upper]));
        }
        self.len += usize::from(old.is_none());
        old
    }

    /// Removes a key and returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // Looking first keeps a miss from copying a shared path.
        self.get(key)?;
        let old = Arc::make_mut(&mut self.root).remove(key)?;
        self.len -= 1;
        while let Node::Inner(children) = &*self.root {
            match children.as_slice() {
                [] => self.root = Arc::new(Node::Leaf(Vec::new())),
                [only] => self.root = only.node.clone(),
                _ => break,
            }
        }
        Some(old)
    }

    /// Weight of all entries in the interval. 0 if it is reversed.
    pub fn count<Q: Ord + ?Sized>(&self, start: Bound<&Q>, end: Bound<&Q>) -> u64
    where
        K: Borrow<Q>,
    {
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
    fn rank<Q: Ord + ?Sized>(&self, before: impl Fn(&Q) -> bool) -> u64
    where
        K: Borrow<Q>,
    {
        let mut rank = 0;
        let mut node = &*self.root;
        loop {
            match node {
                Node::Leaf(entries) => {
                    let inside = entries.iter().take_while(|(key, _)| before(key.borrow()));
                    return rank + inside.map(|(_, value)| value.weight()).sum::<u64>();
                }
                Node::Inner(children) => {
                    let at = children.partition_point(|child| before(child.first.borrow())).saturating_sub(1);
                    let (lower, rest) = children.split_at(at);
                    rank += lower.iter().map(|child| child.weight).sum::<u64>();
                    node = &rest.first().expect("invariant: an inner node has a child").node;
                }
            }
        }
    }

    /// Entries of the interval in ascending order. Empty if it is reversed.
    pub fn range<'a, 'b, Q: Ord + ?Sized>(&'a self, start: Bound<&Q>, end: Bound<&'b Q>) -> Forward<'a, 'b, K, V, Q>
    where
        K: Borrow<Q>,
    {
        Forward::new(&self.root, start, end)
    }

    /// Entries of the interval in descending order. Empty if it is reversed.
    pub fn range_back<'a, 'b, Q: Ord + ?Sized>(
        &'a self,
        start: Bound<&'b Q>,
        end: Bound<&Q>,
    ) -> Backward<'a, 'b, K, V, Q>
    where
        K: Borrow<Q>,
    {
        Backward::new(&self.root, start, end)
    }

    /// All entries in ascending order.
    pub fn iter(&self) -> Forward<'_, '_, K, V, K> {
        self.range(Bound::Unbounded, Bound::Unbounded)
    }

    /// The entry with the largest key.
    pub fn last(&self) -> Option<(&K, &V)> {
        self.range_back::<K>(Bound::Unbounded, Bound::Unbounded).next()
    }
}

fn edge_to<K: Ord + Clone, V: Clone + Weight>(node: Node<K, V>) -> Child<K, V> {
    let first = node.first().expect("invariant: a built node is filled").clone();
    Child { first, weight: node.weight(), node: Arc::new(node) }
}
