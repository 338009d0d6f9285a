//! The effect of one operation on a state.
//!
//! Operations arrive in causal order, each exactly once. Hence "what the writer observed" is exactly what the entry's
//! dependencies contain, and no operation needs to list what it overwrites.

use super::form::Form;
use super::life::{Life, LifeInfo, Object};
use super::node::Node;
use super::patch::Value;
use super::path::{Path, Step};
use crate::conflict::{Conflict, Rule, Version};
use crate::dot::{Dot, Stamp};
use crate::entry::KeyOp;
use crate::key::ObjectKey;
use crate::value::{Field, Tree};
use crate::version_vector::VersionVector;
use std::collections::BTreeMap;

/// Where kube-apiserver keeps who manages which field.
const MANAGED_FIELDS_PATH: &str = "metadata/managedFields";

/// What an operation met.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct Outcome {
    /// Concurrent changes that are not shown from here on, for the conflict log.
    pub conflicts: Vec<Conflict>,
}

/// One operation at work.
pub(super) struct Writing<'a> {
    key: &'a ObjectKey,
    pub(super) stamp: Stamp,
    deps: &'a VersionVector,
    /// Where the writing stands, for conflict records.
    pub(super) path: Path,
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

    /// A new life. Concurrent lives stay beside it; the earliest created is shown.
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
            self.lives.retain(|dot, _| *dot == kept || !w.observed(*dot));
            return;
        }
        let winner = self.lives.get(&kept).cloned();
        self.lives.retain(|dot, life| {
            let stays = *dot == kept || !w.observed(*dot);
            // What the writer did not see of the life that goes is lost with it.
            if !stays && let (Some(winner), false) = (&winner, w.observed(life.newest().dot)) {
                w.concurrent_create(winner, life);
            }
            stays
        });
    }

    /// Drops every life that the deleter saw. Concurrent and later lives stay.
    fn delete(&mut self, w: &mut Writing<'_>) {
        self.lives.retain(|dot, life| {
            let stays = !w.observed(*dot);
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
    pub(super) fn observed(&self, dot: Dot) -> bool {
        dot != self.stamp.dot && self.deps.contains(dot)
    }

    pub(super) fn unseen(&self) -> impl FnMut(Stamp) -> bool + use<'_> {
        |stamp| !self.observed(stamp.dot)
    }

    pub(super) fn within(&mut self, step: &Step, work: impl FnOnce(&mut Self)) {
        self.path.0.push(step.clone());
        work(self);
        self.path.0.pop();
    }

    pub(super) fn lost(&mut self, rule: Rule, path: String, loser: Version) {
        self.record(Conflict { key: self.key.clone(), path, rule, winner: None, loser });
    }

    /// Records two versions of which the one with the `shown` stamp is shown.
    fn clash(&mut self, rule: Rule, path: String, a: Version, b: Version, a_shown: bool) {
        let (winner, loser) = if a_shown { (a, b) } else { (b, a) };
        self.record(Conflict { key: self.key.clone(), path, rule, winner: Some(winner), loser });
    }

    /// An item that was added twice concurrently is written twice: one record is enough. Who manages which field is
    /// bookkeeping of the API server, and nobody's edit.
    fn record(&mut self, conflict: Conflict) {
        if !conflict.path.starts_with(MANAGED_FIELDS_PATH) && !self.conflicts.contains(&conflict) {
            self.conflicts.push(conflict);
        }
    }

    /// Lives with equal content unify silently.
    fn concurrent_create(&mut self, a: &Life, b: &Life) {
        let (a_tree, b_tree) = (content(a), content(b));
        if a_tree != b_tree {
            let a_version = Version { stamp: a.newest(), tree: a_tree };
            let b_version = Version { stamp: b.newest(), tree: b_tree };
            self.clash(Rule::ConcurrentCreate, String::new(), a_version, b_version, a.precedence() < b.precedence());
        }
    }

    /// Records two concurrent values of one place, unless they are equal.
    pub(super) fn concurrent_write(&mut self, a: (Stamp, &Tree), b: (Stamp, &Tree)) {
        if a.1 != b.1 {
            let version = |(stamp, tree): (Stamp, &Tree)| Version { stamp, tree: tree.clone() };
            self.clash(Rule::ConcurrentWrite, self.path.to_string(), version(a), version(b), a.0 > b.0);
        }
    }
}

/// What a person would compare: all but the bookkeeping.
fn content(life: &Life) -> Tree {
    let mut tree = life.tree();
    if let Tree::Map(fields) = &mut tree
        && let Some(Tree::Map(metadata)) = fields.get_mut("metadata")
    {
        metadata.remove("managedFields");
    }
    tree
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
