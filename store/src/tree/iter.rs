//! Iteration in both directions. The bound is compared once a leaf, not once an entry.

use super::node::{Child, Node};
use std::borrow::Borrow;
use std::ops::Bound;
use std::slice;

/// Ascending iterator, see [`super::Tree::range`].
#[derive(Debug)]
pub struct Forward<'a, 'b, K, V, Q: ?Sized> {
    /// Children to the right of the path, innermost last.
    path: Vec<slice::Iter<'a, Child<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
    end: Bound<&'b Q>,
    done: bool,
}

impl<'a, 'b, K: Borrow<Q>, V, Q: Ord + ?Sized> Forward<'a, 'b, K, V, Q> {
    pub(super) fn new(root: &'a Node<K, V>, start: Bound<&Q>, end: Bound<&'b Q>) -> Self {
        let before = |key: &K| match start {
            Bound::Unbounded => false,
            Bound::Included(start) => key.borrow() < start,
            Bound::Excluded(start) => key.borrow() <= start,
        };
        let mut iter = Forward { path: Vec::new(), leaf: [].iter(), end, done: false };
        let mut node = root;
        while let Node::Inner(children) = node {
            let at = children.partition_point(|child| before(&child.first)).saturating_sub(1);
            let mut rest = children.get(at..).unwrap_or_default().iter();
            let Some(child) = rest.next() else { break };
            iter.path.push(rest);
            node = &child.node;
        }
        if let Node::Leaf(entries) = node {
            let at = entries.partition_point(|(key, _)| before(key));
            iter.enter(entries.get(at..).unwrap_or_default());
        }
        iter
    }

    fn enter(&mut self, entries: &'a [(K, V)]) {
        let inside = |key: &K| match self.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key.borrow() <= end,
            Bound::Excluded(end) => key.borrow() < end,
        };
        self.leaf = match entries.last() {
            Some((last, _)) if !inside(last) => {
                self.done = true;
                let stop = entries.partition_point(|(key, _)| inside(key));
                entries.get(..stop).unwrap_or_default().iter()
            }
            _ => entries.iter(),
        };
    }
}

impl<'a, K: Borrow<Q>, V, Q: Ord + ?Sized> Iterator for Forward<'a, '_, K, V, Q> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next() {
                return Some((key, value));
            }
            if self.done {
                return None;
            }
            let Some(child) = self.path.last_mut()?.next() else {
                self.path.pop();
                continue;
            };
            match &*child.node {
                Node::Inner(children) => self.path.push(children.iter()),
                Node::Leaf(entries) => self.enter(entries),
            }
        }
    }
}

/// Descending iterator, see [`super::Tree::range_back`].
#[derive(Debug)]
pub struct Backward<'a, 'b, K, V, Q: ?Sized> {
    /// Children to the left of the path, innermost last; taken from their end.
    path: Vec<slice::Iter<'a, Child<K, V>>>,
    leaf: slice::Iter<'a, (K, V)>,
    start: Bound<&'b Q>,
    done: bool,
}

impl<'a, 'b, K: Borrow<Q>, V, Q: Ord + ?Sized> Backward<'a, 'b, K, V, Q> {
    pub(super) fn new(root: &'a Node<K, V>, start: Bound<&'b Q>, end: Bound<&Q>) -> Self {
        let inside = |key: &K| match end {
            Bound::Unbounded => true,
            Bound::Included(end) => key.borrow() <= end,
            Bound::Excluded(end) => key.borrow() < end,
        };
        let mut iter = Backward { path: Vec::new(), leaf: [].iter(), start, done: false };
        let mut node = root;
        while let Node::Inner(children) = node {
            let stop = children.partition_point(|child| inside(&child.first)).max(1);
            let mut rest = children.get(..stop).unwrap_or_default().iter();
            let Some(child) = rest.next_back() else { break };
            iter.path.push(rest);
            node = &child.node;
        }
        if let Node::Leaf(entries) = node {
            let stop = entries.partition_point(|(key, _)| inside(key));
            iter.enter(entries.get(..stop).unwrap_or_default());
        }
        iter
    }

    fn enter(&mut self, entries: &'a [(K, V)]) {
        let before = |key: &K| match self.start {
            Bound::Unbounded => false,
            Bound::Included(start) => key.borrow() < start,
            Bound::Excluded(start) => key.borrow() <= start,
        };
        self.leaf = match entries.first() {
            Some((first, _)) if before(first) => {
                self.done = true;
                let at = entries.partition_point(|(key, _)| before(key));
                entries.get(at..).unwrap_or_default().iter()
            }
            _ => entries.iter(),
        };
    }
}

impl<'a, K: Borrow<Q>, V, Q: Ord + ?Sized> Iterator for Backward<'a, '_, K, V, Q> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((key, value)) = self.leaf.next_back() {
                return Some((key, value));
            }
            if self.done {
                return None;
            }
            let Some(child) = self.path.last_mut()?.next_back() else {
                self.path.pop();
                continue;
            };
            match &*child.node {
                Node::Inner(children) => self.path.push(children.iter()),
                Node::Leaf(entries) => self.enter(entries),
            }
        }
    }
}
