//! Iteration in both directions. The bound is compared once a leaf, not once an entry.

use super::Entry;
use super::node::{Child, Node};
use std::borrow::Borrow;
use std::ops::Bound;
use std::slice;

/// Ascending iterator, see [`super::Tree::range`].
#[derive(Debug)]
pub struct Forward<'a, 'b, E: Entry> {
    /// Children to the right of the path, innermost last.
    path: Vec<slice::Iter<'a, Child<E>>>,
    leaf: slice::Iter<'a, E>,
    end: Bound<&'b E::Key>,
    done: bool,
}

impl<'a, 'b, E: Entry> Forward<'a, 'b, E> {
    pub(super) fn new(root: &'a Node<E>, start: Bound<&E::Key>, end: Bound<&'b E::Key>) -> Self {
        let before = |key: &E::Key| match start {
            Bound::Unbounded => false,
            Bound::Included(start) => key < start,
            Bound::Excluded(start) => key <= start,
        };
        let mut iter = Forward { path: Vec::new(), leaf: [].iter(), end, done: false };
        let mut node = root;
        while let Node::Inner(inner) = node {
            let at = inner.separators.partition_point(|separator| before(separator.borrow())).saturating_sub(1);
            let mut rest = inner.children.get(at..).unwrap_or_default().iter();
            let Some(child) = rest.next() else { break };
            iter.path.push(rest);
            node = &child.node;
        }
        if let Node::Leaf(leaf) = node {
            let at = leaf.partition_point(|entry| before(entry.key()));
            iter.enter(leaf.get(at..).unwrap_or_default());
        }
        iter
    }

    fn enter(&mut self, entries: &'a [E]) {
        let inside = |key: &E::Key| match self.end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
        };
        self.leaf = match entries.last() {
            Some(last) if !inside(last.key()) => {
                self.done = true;
                let stop = entries.partition_point(|entry| inside(entry.key()));
                entries.get(..stop).unwrap_or_default().iter()
            }
            _ => entries.iter(),
        };
    }
}

impl<'a, E: Entry> Iterator for Forward<'a, '_, E> {
    type Item = &'a E;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next() {
                return Some(entry);
            }
            if self.done {
                return None;
            }
            let Some(child) = self.path.last_mut()?.next() else {
                self.path.pop();
                continue;
            };
            match &child.node {
                Node::Inner(inner) => self.path.push(inner.children.iter()),
                Node::Leaf(leaf) => self.enter(leaf),
            }
        }
    }
}

/// Descending iterator, see [`super::Tree::range_back`].
#[derive(Debug)]
pub struct Backward<'a, 'b, E: Entry> {
    /// Children to the left of the path, innermost last; taken from their end.
    path: Vec<slice::Iter<'a, Child<E>>>,
    leaf: slice::Iter<'a, E>,
    start: Bound<&'b E::Key>,
    done: bool,
}

impl<'a, 'b, E: Entry> Backward<'a, 'b, E> {
    pub(super) fn new(root: &'a Node<E>, start: Bound<&'b E::Key>, end: Bound<&E::Key>) -> Self {
        let inside = |key: &E::Key| match end {
            Bound::Unbounded => true,
            Bound::Included(end) => key <= end,
            Bound::Excluded(end) => key < end,
        };
        let mut iter = Backward { path: Vec::new(), leaf: [].iter(), start, done: false };
        let mut node = root;
        while let Node::Inner(inner) = node {
            let stop = inner.separators.partition_point(|separator| inside(separator.borrow())).max(1);
            let mut rest = inner.children.get(..stop).unwrap_or_default().iter();
            let Some(child) = rest.next_back() else { break };
            iter.path.push(rest);
            node = &child.node;
        }
        if let Node::Leaf(leaf) = node {
            let stop = leaf.partition_point(|entry| inside(entry.key()));
            iter.enter(leaf.get(..stop).unwrap_or_default());
        }
        iter
    }

    fn enter(&mut self, entries: &'a [E]) {
        let before = |key: &E::Key| match self.start {
            Bound::Unbounded => false,
            Bound::Included(start) => key < start,
            Bound::Excluded(start) => key <= start,
        };
        self.leaf = match entries.first() {
            Some(first) if before(first.key()) => {
                self.done = true;
                let at = entries.partition_point(|entry| before(entry.key()));
                entries.get(at..).unwrap_or_default().iter()
            }
            _ => entries.iter(),
        };
    }
}

impl<'a, E: Entry> Iterator for Backward<'a, '_, E> {
    type Item = &'a E;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.leaf.next_back() {
                return Some(entry);
            }
            if self.done {
                return None;
            }
            let Some(child) = self.path.last_mut()?.next_back() else {
                self.path.pop();
                continue;
            };
            match &child.node {
                Node::Inner(inner) => self.path.push(inner.children.iter()),
                Node::Leaf(leaf) => self.enter(leaf),
            }
        }
    }
}
