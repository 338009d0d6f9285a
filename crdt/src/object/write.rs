//! The effect of one operation inside an object: writes and deletions at paths.

use super::apply::Writing;
use super::form::{Form, Leaf};
use super::node::{Item, List, Node};
use super::patch::Value;
use super::path::{Path, Step};
use super::presence;
use crate::conflict::{Rule, Version};
use crate::dot::Stamp;
use crate::value::{Field, Tree};

impl Node {
    /// Writes `value` at the place that `steps` lead to.
    pub(super) fn set(&mut self, steps: &[Step], value: &Value, w: &mut Writing<'_>) {
        let Some((step, rest)) = steps.split_first() else {
            return self.set_here(value, w);
        };
        match step {
            Step::Field(name) => {
                self.become_map(w);
                self.edit_field(name, |child| w.within(step, |w| child.set(rest, value, w)));
            }
            Step::Item(key) => {
                self.become_list(w);
                let list = self.list.get_or_insert_default();
                let item = list.items.entry(key);
                w.within(step, |w| match (rest, value) {
                    ([], Value::Add(form)) => item.add(form, w),
                    _ => item.set(rest, value, w),
                });
                if item.births.is_empty() {
                    list.items.remove(key);
                }
                self.edit_list(|_| {});
            }
        }
        self.note_structure(w);
    }

    fn set_here(&mut self, value: &Value, w: &mut Writing<'_>) {
        match value {
            Value::Write(form) => self.write(form, w),
            Value::Replace(form) => {
                self.forget(w);
                self.write(form, w);
            }
            // Only an item can be added; a field has no births.
            Value::Add(form) => self.write(form, w),
            Value::Order(keys) => {
                let list = self.list.get_or_insert_default();
                list.order.retain(w.unseen());
                list.order.insert(w.stamp, keys.clone());
            }
        }
    }

    pub(super) fn write(&mut self, form: &Form, w: &mut Writing<'_>) {
        match form {
            Form::Leaf(leaf) => self.write_leaf(leaf, w),
            Form::Map(fields) => {
                self.become_map(w);
                for (name, child_form) in fields {
                    let step = Step::Field(name.clone());
                    self.edit_field(name, |child| w.within(&step, |w| child.write(child_form, w)));
                }
            }
            Form::List(items) => {
                self.become_list(w);
                self.forget_list(w);
                let list = self.list.get_or_insert_default();
                // In key order, which is where the items go.
                let mut by_key: Vec<_> = items.iter().collect();
                by_key.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                for (key, item_form) in by_key {
                    let item = list.items.entry(key);
                    w.within(&Step::Item(key.clone()), |w| item.add(item_form, w));
                }
                if !items.is_sorted_by(|(a, _), (b, _)| a < b) {
                    list.order.insert(w.stamp, items.iter().map(|(key, _)| key.clone()).collect());
                }
                self.edit_list(|_| {});
            }
            Form::Element => {}
        }
        self.note_structure(w);
    }

    fn write_leaf(&mut self, leaf: &Leaf, w: &mut Writing<'_>) {
        self.register.retain(w.unseen());
        self.forget_list(w);
        // An empty map says that there is a map here, not which of its fields are gone: deletions name them (rule L3).
        if leaf.tree != Tree::map() {
            self.forget_fields(w);
        }
        if let Some((stamp, other)) = self.register.winner()
            && !(leaf.united && other.united)
        {
            w.concurrent_write((w.stamp, &leaf.tree), (*stamp, &other.tree));
        }
        self.register.insert(w.stamp, leaf.clone());
    }

    /// Deletes what was observed at the place that `steps` lead to.
    pub(super) fn delete(&mut self, steps: &[Step], w: &mut Writing<'_>) {
        match steps.split_first() {
            None => self.forget(w),
            Some((step @ Step::Field(name), rest)) => {
                self.become_map(w);
                if self.fields.contains_key(name) {
                    self.edit_field(name, |child| w.within(step, |w| child.delete(rest, w)));
                }
            }
            Some((step @ Step::Item(key), rest)) => {
                self.become_list(w);
                self.edit_list(|list| {
                    if let Some(item) = list.items.get_mut(key) {
                        w.within(step, |w| item.delete(rest, w));
                        if item.births.is_empty() {
                            list.items.remove(key);
                        }
                    }
                });
            }
        }
    }

    /// The writer sees a struct or map here: whatever else it observed here is overwritten.
    fn become_map(&mut self, w: &mut Writing<'_>) {
        self.register.retain(w.unseen());
        self.forget_list(w);
    }

    /// The writer sees a list by keys here: whatever else it observed here is overwritten.
    fn become_list(&mut self, w: &mut Writing<'_>) {
        self.register.retain(w.unseen());
        self.forget_fields(w);
    }

    /// Drops all that was observed here and below.
    fn forget(&mut self, w: &mut Writing<'_>) {
        self.register.retain(w.unseen());
        self.forget_fields(w);
        self.forget_list(w);
    }

    fn forget_fields(&mut self, w: &mut Writing<'_>) {
        self.fields.retain(|name, child| {
            w.within(&Step::Field(name.clone()), |w| child.forget(w));
            !child.is_empty()
        });
    }

    fn forget_list(&mut self, w: &mut Writing<'_>) {
        self.edit_list(|list| {
            list.items.retain(|key, item| {
                w.within(&Step::Item(key.clone()), |w| item.remove(w));
                !item.births.is_empty()
            });
            list.order.retain(w.unseen());
        });
    }

    fn edit_field(&mut self, name: &Field, edit: impl FnOnce(&mut Node)) {
        let child = self.fields.entry(name);
        edit(child);
        if child.is_empty() {
            self.fields.remove(name);
        }
    }

    /// Edits the list half, if there is one, and drops it if it is empty then.
    fn edit_list(&mut self, edit: impl FnOnce(&mut List)) {
        if let Some(list) = &mut self.list {
            edit(list);
            if list.is_empty() {
                self.list = None;
            }
        }
    }

    /// Records that concurrent writers made one place a register and something with parts: only one of both is shown.
    fn note_structure(&self, w: &mut Writing<'_>) {
        let Some((stamp, leaf)) = self.register.winner() else { return };
        if is_empty_container(&leaf.tree) || (self.fields.is_empty() && self.list.is_none()) {
            return;
        }
        let parts = Node { fields: self.fields.clone(), list: self.list.clone(), ..Node::default() };
        if let (Some(newest), Some(tree)) = (parts.newest(), parts.visible()) {
            w.concurrent_write((*stamp, &leaf.tree), (newest, &tree));
        }
    }
}

impl Item {
    /// A birth. It replaces the births that its writer saw, with their content.
    fn add(&mut self, form: &Form, w: &mut Writing<'_>) {
        self.remove(w);
        let birth = presence::birth(w.stamp);
        self.births.entry(&birth).write(form, w);
        // The item was added twice: both contents are shown together, only what both wrote can clash.
        if let Some(mine) = self.births.get(&birth) {
            for other in self.births.iter().filter(|(stamp, _)| **stamp != birth).map(|(_, content)| content) {
                note_clashes(mine, other, w);
            }
        }
    }

    /// A change of what the writer saw as one item: it goes into every birth that the writer saw.
    fn set(&mut self, rest: &[Step], value: &Value, w: &mut Writing<'_>) {
        presence::revive(&mut self.births);
        let mut alive = false;
        for (birth, content) in self.births.iter_mut() {
            if birth.dot == w.stamp.dot || w.observed(birth.dot) {
                alive = true;
                content.set(rest, value, w);
            }
        }
        if !alive && !matches!(value, Value::Order(_)) {
            let path = Path(w.path.0.iter().chain(rest).cloned().collect());
            w.lost(Rule::LostToRemoval, path.to_string(), Version { stamp: w.stamp, tree: value.tree() });
        }
    }

    fn delete(&mut self, rest: &[Step], w: &mut Writing<'_>) {
        if rest.is_empty() && presence::removes_births() {
            return self.remove(w);
        }
        for (birth, content) in self.births.iter_mut() {
            if birth.dot == w.stamp.dot || w.observed(birth.dot) {
                content.delete(rest, w);
            }
        }
        presence::bury(&mut self.births);
    }

    /// Drops the births that the writer saw. What it did not see of their content is lost, unless it is part of a birth
    /// that stays.
    fn remove(&mut self, w: &mut Writing<'_>) {
        let mut lost: Vec<(Stamp, Node)> = Vec::new();
        self.births.retain(|birth, content| {
            let stays = !w.observed(birth.dot);
            if !stays
                && let Some(newest) = content.newest()
                && !w.observed(newest.dot)
            {
                lost.push((newest, std::mem::take(content)));
            }
            stays
        });
        for (newest, content) in lost {
            let mut kept = false;
            self.births.values().for_each(|birth| birth.each_stamp(&mut |stamp| kept |= stamp == newest));
            if let (false, Some(tree)) = (kept, content.visible()) {
                w.lost(Rule::LostToRemoval, w.path.to_string(), Version { stamp: newest, tree });
            }
        }
    }
}

/// Records the registers to which two concurrent additions of one item gave different values.
fn note_clashes(mine: &Node, other: &Node, w: &mut Writing<'_>) {
    if let (Some(a), Some(b)) = (mine.register.winner(), other.register.winner())
        && !(a.1.united && b.1.united)
    {
        w.concurrent_write((a.0, &a.1.tree), (b.0, &b.1.tree));
    }
    for (name, child) in mine.fields.iter() {
        if let Some(other) = other.fields.get(name) {
            w.within(&Step::Field(name.clone()), |w| note_clashes(child, other, w));
        }
    }
    let (Some(list), Some(other)) = (&mine.list, &other.list) else { return };
    for (key, item) in list.items.iter() {
        if let Some(other) = other.items.get(key) {
            w.within(&Step::Item(key.clone()), |w| note_clashes(&item.united(), &other.united(), w));
        }
    }
}

fn is_empty_container(tree: &Tree) -> bool {
    match tree {
        Tree::Map(fields) => fields.is_empty(),
        Tree::List(items) => items.is_empty(),
        _ => false,
    }
}
