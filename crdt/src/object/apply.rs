//! The effect of one operation on a state.
//!
//! Operations arrive in causal order, each exactly once. Hence "what the writer observed" is exactly what the entry's
//! dependencies contain, and no operation needs to list what it overwrites.

use super::form::{Form, Leaf};
use super::life::{Life, LifeInfo, Object};
use super::node::{Item, Node};
use super::patch::Value;
use super::path::{Path, Step};
use super::presence;
use crate::conflict::{Conflict, Rule, Version};
use crate::dot::{Dot, Stamp};
use crate::entry::KeyOp;
use crate::key::ObjectKey;
use crate::value::{Field, Tree};
use crate::version_vector::VersionVector;
use std::collections::BTreeMap;

/// What an operation met.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Outcome {
    /// Concurrent changes that are not shown from here on, for the conflict log.
    pub conflicts: Vec<Conflict>,
}

/// One operation at work.
struct Writing<'a> {
    key: &'a ObjectKey,
    stamp: Stamp,
    deps: &'a VersionVector,
    /// Where the writing stands, for conflict records.
    path: Path,
    conflicts: Vec<Conflict>,
}

impl Object {
    /// Applies an operation of the entry `stamp` whose dependencies are `deps`. The caller has made sure that everything
    /// in `deps` was applied before, and that the entry was not ([`Entry::delivery`](crate::entry::Entry::delivery)).
    ///
    /// Cost: the size of the change times the logarithm of the object's width.
    pub fn apply(&mut self, op: &KeyOp, stamp: Stamp, deps: &VersionVector) -> Outcome {
        let Some(key) = op.key() else { return Outcome::default() };
        let mut w = Writing { key, stamp, deps, path: Path::root(), conflicts: Vec::new() };
        match op {
            KeyOp::Create { life, form, .. } => self.create(life, form, &mut w),
            KeyOp::Patch { life, set, del, .. } => self.patch(*life, set, del, &mut w),
            KeyOp::Delete { .. } => self.delete(&mut w),
            KeyOp::Control(_) => {}
        }
        Outcome { conflicts: w.conflicts }
    }

    /// A new life. Concurrent lives stay beside it; the earliest born is shown.
    fn create(&mut self, info: &LifeInfo, form: &Form, w: &mut Writing<'_>) {
        let mut life = Life { born: w.stamp, info: info.clone(), root: Node::default() };
        life.root.write(form, w);
        if let Some((_, other)) = self.winner().filter(|(dot, _)| !w.observed(*dot)) {
            w.concurrent_create(other, &life);
        }
        self.lives.insert(w.stamp.dot, life);
    }

    /// A change of one life. It collapses every other life that its writer saw (rule M17).
    fn patch(&mut self, life: Dot, set: &[(Path, Value)], del: &[Path], w: &mut Writing<'_>) {
        self.collapse(life, w);
        let winner = self.winner().filter(|(dot, _)| *dot != life).map(|(_, winner)| winner.clone());
        let Some(target) = self.lives.get_mut(&life) else {
            let (path, tree) = summary(set, del);
            w.lost(Rule::LostToDelete, path, Version { stamp: w.stamp, tree });
            return;
        };
        for path in del {
            target.root.delete(&path.0, w);
        }
        for (path, value) in set {
            target.root.set(&path.0, value, w);
        }
        // The whole life is hidden: one record of it says more than records of its registers.
        if let Some(winner) = winner {
            w.conflicts.clear();
            w.concurrent_create(&winner, target);
        }
    }

    fn collapse(&mut self, kept: Dot, w: &mut Writing<'_>) {
        if self.lives.len() < 2 {
            self.lives.retain(|&dot, _| dot == kept || !w.observed(dot));
            return;
        }
        let winner = self.lives.get(&kept).cloned();
        self.lives.retain(|&dot, life| {
            let stays = dot == kept || !w.observed(dot);
            // What the writer did not see of the life that goes is lost with it.
            if !stays && let (Some(winner), false) = (&winner, w.observed(life.newest().dot)) {
                w.concurrent_create(winner, life);
            }
            stays
        });
    }

    /// Drops every life that the deleter saw. Concurrent and later lives stay.
    fn delete(&mut self, w: &mut Writing<'_>) {
        self.lives.retain(|&dot, life| {
            let stays = !w.observed(dot);
            let newest = life.newest();
            if !stays && !w.observed(newest.dot) {
                w.lost(Rule::LostToDelete, String::new(), Version { stamp: newest, tree: life.tree() });
            }
            stays
        });
    }
}

impl Writing<'_> {
    /// True if the writer of this operation had seen the write `dot`. Its own writes are not overwritten by itself.
    fn observed(&self, dot: Dot) -> bool {
        dot != self.stamp.dot && self.deps.contains(dot)
    }

    fn unseen(&self) -> impl FnMut(Stamp) -> bool + use<'_> {
        |stamp| !self.observed(stamp.dot)
    }

    fn within(&mut self, step: &Step, work: impl FnOnce(&mut Self)) {
        self.path.0.push(step.clone());
        work(self);
        self.path.0.pop();
    }

    fn lost(&mut self, rule: Rule, path: String, loser: Version) {
        self.record(Conflict { key: self.key.clone(), path, rule, winner: None, loser });
    }

    /// Records two versions of which the one with the `shown` stamp is shown.
    fn clash(&mut self, rule: Rule, path: String, a: Version, b: Version, a_shown: bool) {
        let (winner, loser) = if a_shown { (a, b) } else { (b, a) };
        self.record(Conflict { key: self.key.clone(), path, rule, winner: Some(winner), loser });
    }

    /// An item that was added twice concurrently is written twice: one record is enough.
    fn record(&mut self, conflict: Conflict) {
        if !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
    }

    /// Lives with equal content unify silently.
    fn concurrent_create(&mut self, a: &Life, b: &Life) {
        let (a_tree, b_tree) = (a.tree(), b.tree());
        if a_tree != b_tree {
            let a_version = Version { stamp: a.newest(), tree: a_tree };
            let b_version = Version { stamp: b.newest(), tree: b_tree };
            self.clash(Rule::ConcurrentCreate, String::new(), a_version, b_version, a.born < b.born);
        }
    }

    /// Records that this operation's `tree` meets a concurrent value of the same place.
    fn concurrent_write(&mut self, tree: &Tree, other: Stamp, other_tree: &Tree) {
        if tree != other_tree {
            let mine = Version { stamp: self.stamp, tree: tree.clone() };
            let theirs = Version { stamp: other, tree: other_tree.clone() };
            self.clash(Rule::ConcurrentWrite, self.path.to_string(), mine, theirs, self.stamp > other);
        }
    }
}

impl Node {
    fn set(&mut self, steps: &[Step], value: &Value, w: &mut Writing<'_>) {
        let Some((step, rest)) = steps.split_first() else {
            return self.set_here(value, w);
        };
        match step {
            Step::Field(name) => {
                self.become_map(w);
                self.meet_register(|| value.tree(), w);
                self.edit_field(name, |child| w.within(step, |w| child.set(rest, value, w)));
            }
            Step::Item(key) => {
                self.become_list(w);
                self.meet_register(|| value.tree(), w);
                let list = self.list.get_or_insert_default();
                let item = list.items.entry(key.clone()).or_default();
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
    }

    fn set_here(&mut self, value: &Value, w: &mut Writing<'_>) {
        match value {
            Value::Write(form) => self.write(form, w),
            Value::Replace(form) => {
                self.retain(&mut w.unseen());
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

    fn write(&mut self, form: &Form, w: &mut Writing<'_>) {
        match form {
            Form::Leaf(leaf) => self.write_leaf(leaf, w),
            Form::Map(fields) => {
                self.become_map(w);
                self.meet_register(|| form.tree(), w);
                for (name, child_form) in fields {
                    let step = Step::Field(name.clone());
                    self.edit_field(name, |child| w.within(&step, |w| child.write(child_form, w)));
                }
            }
            Form::List(items) => {
                self.become_list(w);
                self.retain_list(&mut w.unseen());
                self.meet_register(|| form.tree(), w);
                let list = self.list.get_or_insert_default();
                for (key, item_form) in items {
                    let item = list.items.entry(key.clone()).or_default();
                    w.within(&Step::Item(key.clone()), |w| item.add(item_form, w));
                }
                if !items.is_sorted_by(|(a, _), (b, _)| a < b) {
                    list.order.insert(w.stamp, items.iter().map(|(key, _)| key.clone()).collect());
                }
                self.edit_list(|_| {});
            }
            Form::Element => {}
        }
    }

    fn write_leaf(&mut self, leaf: &Leaf, w: &mut Writing<'_>) {
        self.register.retain(w.unseen());
        self.retain_list(&mut w.unseen());
        // An empty map says that there is a map here, not which of its fields are gone: deletions name them (rule L3).
        if leaf.tree != Tree::map() {
            self.retain_fields(&mut w.unseen());
        }
        if let Some((stamp, other)) = self.register.winner()
            && !(leaf.united && other.united)
        {
            w.concurrent_write(&leaf.tree, *stamp, &other.tree);
        } else if !is_empty_container(&leaf.tree) && !(self.fields.is_empty() && self.list.is_none()) {
            let below = Node { register: Default::default(), fields: self.fields.clone(), list: self.list.clone() };
            if let (Some(stamp), Some(tree)) = (below.newest(), below.visible()) {
                w.concurrent_write(&leaf.tree, stamp, &tree);
            }
        }
        self.register.insert(w.stamp, leaf.clone());
    }

    /// The writer sees a struct or map here: whatever else it observed here is overwritten.
    fn become_map(&mut self, w: &Writing<'_>) {
        self.register.retain(w.unseen());
        self.retain_list(&mut w.unseen());
    }

    /// The writer sees a list by keys here: whatever else it observed here is overwritten.
    fn become_list(&mut self, w: &Writing<'_>) {
        self.register.retain(w.unseen());
        self.retain_fields(&mut w.unseen());
    }

    /// Content goes below a place that a concurrent writer made one register: only one of both can be shown.
    fn meet_register(&self, tree: impl FnOnce() -> Tree, w: &mut Writing<'_>) {
        if let Some((stamp, leaf)) = self.register.winner()
            && *stamp != w.stamp
            && !is_empty_container(&leaf.tree)
        {
            w.concurrent_write(&tree(), *stamp, &leaf.tree);
        }
    }

    fn edit_field(&mut self, name: &Field, edit: impl FnOnce(&mut Node)) {
        let child = self.fields.entry(name.clone()).or_default();
        edit(child);
        if child.is_empty() {
            self.fields.remove(name);
        }
    }

    fn delete(&mut self, steps: &[Step], w: &Writing<'_>) {
        match steps.split_first() {
            None => self.retain(&mut w.unseen()),
            Some((Step::Field(name), rest)) => {
                self.become_map(w);
                if self.fields.contains_key(name) {
                    self.edit_field(name, |child| child.delete(rest, w));
                }
            }
            Some((Step::Item(key), rest)) => {
                self.become_list(w);
                self.edit_list(|list| {
                    if let Some(item) = list.items.get_mut(key) {
                        item.delete(rest, w);
                        if item.births.is_empty() {
                            list.items.remove(key);
                        }
                    }
                });
            }
        }
    }
}

impl Item {
    /// A birth. It replaces the births that its writer saw, with their content.
    fn add(&mut self, form: &Form, w: &mut Writing<'_>) {
        self.births.retain(|birth, _| !w.observed(birth.dot));
        if form != &Form::Element
            && let Some(other) = self.united().visible()
        {
            let newest = self.united().newest().unwrap_or(w.stamp);
            let tree = form.tree();
            // Fields of both additions are shown together; only those that both wrote can clash.
            note_clashes(&tree, &other, newest, w);
        }
        self.births.entry(presence::birth(w.stamp)).or_default().write(form, w);
    }

    /// A change of what the writer saw as one item: it goes into every birth that the writer saw.
    fn set(&mut self, rest: &[Step], value: &Value, w: &mut Writing<'_>) {
        presence::revive(&mut self.births);
        let mut alive = false;
        for (birth, content) in &mut self.births {
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

    fn delete(&mut self, rest: &[Step], w: &Writing<'_>) {
        if rest.is_empty() && presence::removes_births() {
            self.births.retain(|birth, _| !w.observed(birth.dot));
            return;
        }
        for (birth, content) in &mut self.births {
            if birth.dot == w.stamp.dot || w.observed(birth.dot) {
                content.delete(rest, w);
            }
        }
        presence::bury(&mut self.births);
    }
}

/// Records the scalar fields that two concurrent additions of one item gave different values.
fn note_clashes(mine: &Tree, theirs: &Tree, stamp: Stamp, w: &mut Writing<'_>) {
    match (mine, theirs) {
        (Tree::Map(mine), Tree::Map(theirs)) => {
            for (name, value) in mine {
                if let Some(other) = theirs.get(name) {
                    w.within(&Step::Field(name.clone()), |w| note_clashes(value, other, stamp, w));
                }
            }
        }
        _ => w.concurrent_write(mine, stamp, theirs),
    }
}

fn is_empty_container(tree: &Tree) -> bool {
    match tree {
        Tree::Map(fields) => fields.is_empty(),
        Tree::List(items) => items.is_empty(),
        _ => false,
    }
}

/// A lost patch in one place, or as a list of its places.
fn summary(set: &[(Path, Value)], del: &[Path]) -> (String, Tree) {
    if let ([(path, value)], []) = (set, del) {
        return (path.to_string(), value.tree());
    }
    let name = |path: &Path| Field::from(path.to_string());
    let deleted = del.iter().map(|path| (name(path), Tree::Null));
    let written = set.iter().map(|(path, value)| (name(path), value.tree()));
    (String::new(), Tree::Map(deleted.chain(written).collect::<BTreeMap<_, _>>()))
}
