//! One place of an object's state.
//!
//! # Invariants
//! - No child is empty: what holds no write is pruned, so that equal states are equal values.
//! - An item is there exactly while one of its births is. Content belongs to the birth that its writer saw: it goes
//!   when that birth is removed, in whatever order the removal and the write arrive, and never moves into a later item
//!   of the same key. Hence a removal beats a concurrent change inside, a concurrent re-add survives, and there are no
//!   half items.

use super::form::Leaf;
use super::path::ItemKey;
use super::register::Register;
use super::sorted::Sorted;
use crate::dot::Stamp;
use crate::value::Field;

/// A place: a register, a struct or map, or a keyed list or set.
///
/// Concurrent writers may disagree about which of them it is (a scalar replaced by a map in unknown content, a list that
/// lost its distinct keys), so a node has room for all three. [`Node::visible`] says which is shown; a later write that
/// saw them leaves one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Node {
    pub(super) register: Register<Leaf>,
    pub(super) fields: Sorted<Field, Node>,
    /// None if there is neither an item nor an order.
    pub(super) list: Option<Box<List>>,
}

/// A keyed list or a set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct List {
    pub(super) items: Sorted<ItemKey, Item>,
    /// The written order, where it is not the order of births.
    pub(super) order: Register<Vec<ItemKey>>,
}

/// An item: one content for every birth. More than one birth means that it was added concurrently; the contents are
/// then shown united. An element of a set has empty contents.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Item {
    pub(super) births: Sorted<Stamp, Node>,
}

impl Node {
    /// True if no write is left here or below.
    pub fn is_empty(&self) -> bool {
        self.register.is_empty() && self.fields.is_empty() && self.list.is_none()
    }

    /// The register half.
    pub fn register(&self) -> &Register<Leaf> {
        &self.register
    }

    /// Calls `visit` with the stamp of every write held here and below.
    pub(super) fn each_stamp(&self, visit: &mut impl FnMut(Stamp)) {
        self.register.siblings().iter().for_each(|(stamp, _)| visit(*stamp));
        self.fields.values().for_each(|child| child.each_stamp(visit));
        if let Some(list) = &self.list {
            list.each_stamp(visit);
        }
    }

    /// The greatest stamp held here and below.
    pub(super) fn newest(&self) -> Option<Stamp> {
        let mut newest = None;
        self.each_stamp(&mut |stamp| newest = newest.max(Some(stamp)));
        newest
    }
}

impl List {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.order.is_empty()
    }

    fn each_stamp(&self, visit: &mut impl FnMut(Stamp)) {
        for (birth, content) in self.items.values().flat_map(|item| item.births.iter()) {
            visit(*birth);
            content.each_stamp(visit);
        }
        self.order.siblings().iter().for_each(|(stamp, _)| visit(*stamp));
    }
}
