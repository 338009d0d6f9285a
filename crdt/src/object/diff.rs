//! The difference between two values of one object: what a local write means as an operation.

use super::form::{Form, Structure, leaf};
use super::patch::{Patch, Value};
use super::path::{ItemKey, Path, Step};
use crate::schema::{Kind, Shape};
use crate::value::{Field, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// What turns `old` into `new`, both of them projections: without the fields that stay local.
///
/// Nothing is deleted at a place that the schema does not know: an apiserver of an older version drops such fields
/// without meaning it (rule L3).
pub fn diff(old: &Tree, new: &Tree, shape: Shape) -> Patch {
    Differ::of(old, new, shape).patch
}

/// A diff at work.
#[derive(Default)]
pub(super) struct Differ {
    pub(super) patch: Patch,
    /// Lists with items that are new, and their written order: where the order comes out can depend on the state.
    pub(super) grown: Vec<(Path, Vec<ItemKey>)>,
}

impl Differ {
    pub(super) fn of(old: &Tree, new: &Tree, shape: Shape) -> Self {
        let mut differ = Self::default();
        differ.value(old, new, shape, &Path::root());
        differ
    }

    fn set(&mut self, path: &Path, value: Value) {
        self.patch.set.push((path.clone(), value));
    }

    fn value(&mut self, old: &Tree, new: &Tree, shape: Shape, path: &Path) {
        match (Structure::of(old, shape), Structure::of(new, shape)) {
            (Structure::Leaf, Structure::Leaf) if old == new => {}
            (Structure::Map(old), Structure::Map(new)) => self.map(old, new, shape, path),
            (Structure::List(old), Structure::List(new)) => self.list(&old, &new, shape, path),
            // A map that lost its last field: the fields are deleted one by one, so that unknown ones are not.
            (Structure::Map(old), Structure::Leaf) if *new == Tree::map() => {
                self.map(old, &BTreeMap::new(), shape, path);
                self.set(path, Value::Write(leaf(new, shape)));
            }
            // Something else was here: fields that a concurrent writer hid below it must not come back.
            (Structure::Leaf | Structure::List(_), Structure::Map(_)) if *old != Tree::map() => {
                self.set(path, Value::Replace(Form::of(new, shape)));
            }
            (Structure::Leaf | Structure::List(_), Structure::Leaf) if *new == Tree::map() => {
                self.set(path, Value::Replace(leaf(new, shape)));
            }
            _ => self.set(path, Value::Write(Form::of(new, shape))),
        }
    }

    fn map(&mut self, old: &BTreeMap<Field, Tree>, new: &BTreeMap<Field, Tree>, shape: Shape, path: &Path) {
        for name in old.keys().filter(|name| !new.contains_key(*name)) {
            if shape.child(name).is_known() {
                self.patch.del.push(path.child(Step::Field(name.clone())));
            }
        }
        for (name, value) in new {
            let child = shape.child(name);
            match old.get(name) {
                // Equal subtrees are most of an object; this is the cheap way past them.
                Some(before) if before == value => {}
                Some(before) => self.value(before, value, child, &path.child(Step::Field(name.clone()))),
                None => self.set(&path.child(Step::Field(name.clone())), Value::Write(Form::of(value, child))),
            }
        }
    }

    fn list(&mut self, old: &[(ItemKey, &Tree)], new: &[(ItemKey, &Tree)], shape: Shape, path: &Path) {
        let before: BTreeMap<&ItemKey, &Tree> = old.iter().map(|(key, value)| (key, *value)).collect();
        let after: BTreeSet<&ItemKey> = new.iter().map(|(key, _)| key).collect();
        for (key, _) in old.iter().filter(|(key, _)| !after.contains(key)) {
            self.patch.del.push(path.child(Step::Item(key.clone())));
        }
        let mut added = BTreeSet::new();
        for (key, value) in new {
            let place = || path.child(Step::Item(key.clone()));
            match before.get(key) {
                Some(before) if before == value => {}
                Some(before) => self.value(before, value, shape.item(), &place()),
                None => {
                    let form = match shape.kind() {
                        Kind::Set => Form::Element,
                        _ => Form::of(value, shape.item()),
                    };
                    self.set(&place(), Value::Add(form));
                    added.insert(key);
                }
            }
        }
        // Where the items come out by themselves: the old ones as they stood, then the new ones by key.
        let stay = old.iter().map(|(key, _)| key).filter(|key| after.contains(key));
        let expected = stay.chain(added.iter().copied());
        if !new.iter().map(|(key, _)| key).eq(expected) {
            self.set(path, Value::Order(new.iter().map(|(key, _)| key.clone()).collect()));
        } else if !added.is_empty() {
            self.grown.push((path.clone(), new.iter().map(|(key, _)| key.clone()).collect()));
        }
    }
}
