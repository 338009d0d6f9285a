//! What a state shows: one value, whatever concurrent writes it holds.

use super::form::Leaf;
use super::node::{Item, List, Node};
use super::path::{ItemKey, Path, Step};
use super::register::Register;
use crate::dot::Stamp;
use crate::value::Tree;
use bytes::Bytes;
use serde_json::Value as Json;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

impl Node {
    /// The value shown at this place; None if there is none.
    ///
    /// If concurrent writers disagreed on what the place is, the part with the newest write is shown, except that an
    /// empty map or list gives way to fields or items that were added concurrently.
    pub fn visible(&self) -> Option<Tree> {
        let register = show_register(&self.register);
        let fields: BTreeMap<_, _> =
            self.fields.iter().filter_map(|(name, child)| Some((name.clone(), child.visible()?))).collect();
        let fields = (!fields.is_empty()).then_some(Tree::Map(fields));
        let list = self.list.as_deref().and_then(List::visible);
        match (register, fields, list) {
            (register, None, None) => register.map(|(_, tree)| tree),
            (None, fields, None) => fields,
            (None, None, list) => list,
            (register, fields, list) => self.newest_half(register, fields, list),
        }
    }

    fn newest_half(&self, register: Option<(Stamp, Tree)>, fields: Option<Tree>, list: Option<Tree>) -> Option<Tree> {
        let register = register.filter(|(_, tree)| match tree {
            Tree::Map(m) if m.is_empty() => fields.is_none(),
            Tree::List(l) if l.is_empty() => list.is_none(),
            _ => true,
        });
        let newest_field = self.fields.values().filter_map(Node::newest).max();
        let newest_item = Node { list: self.list.clone(), ..Node::default() }.newest();
        // The register stands last: it wins a tie, which only a faulty writer can make.
        let halves = [
            list.map(|tree| (newest_item, tree)),
            fields.map(|tree| (newest_field, tree)),
            register.map(|(stamp, tree)| (Some(stamp), tree)),
        ];
        halves.into_iter().flatten().max_by_key(|(stamp, _)| *stamp).map(|(_, tree)| tree)
    }

    /// The node at a path; items that were added concurrently are united. None if there is none.
    pub(super) fn at(&self, path: &Path) -> Option<Cow<'_, Node>> {
        path.0.iter().try_fold(Cow::Borrowed(self), |node, step| node_below(node, step))
    }

    /// The keys of the list at this place, in shown order.
    pub(super) fn list_keys(&self) -> Vec<ItemKey> {
        self.list.as_deref().map_or_else(Vec::new, |list| list.ordered().into_iter().cloned().collect())
    }
}

fn node_below<'a>(node: Cow<'a, Node>, step: &Step) -> Option<Cow<'a, Node>> {
    match (node, step) {
        (Cow::Borrowed(node), Step::Field(name)) => node.fields.get(name).map(Cow::Borrowed),
        (Cow::Borrowed(node), Step::Item(key)) => node.list.as_ref()?.items.get(key).map(Item::united),
        (Cow::Owned(mut node), Step::Field(name)) => node.fields.remove(name).map(Cow::Owned),
        (Cow::Owned(node), Step::Item(key)) => {
            node.list?.items.remove(key).map(|item| Cow::Owned(item.united().into_owned()))
        }
    }
}

impl Item {
    /// The content: that of the one birth, or of all of them together.
    pub(super) fn united(&self) -> Cow<'_, Node> {
        let mut births = self.births.values();
        let first = births.next().map_or_else(|| Cow::Owned(Node::default()), Cow::Borrowed);
        births.fold(first, |all, node| Cow::Owned(all.union(node)))
    }

    fn visible(&self, key: &ItemKey) -> Tree {
        match self.united().visible() {
            Some(tree) => tree,
            None => key.0.first().cloned().unwrap_or(Tree::Null),
        }
    }

    fn born(&self) -> Option<Stamp> {
        self.births.keys().next().copied()
    }
}

impl List {
    fn visible(&self) -> Option<Tree> {
        if self.items.is_empty() {
            return None;
        }
        let item = |key: &ItemKey| self.items.get(key).map(|item| item.visible(key));
        Some(Tree::List(self.ordered().into_iter().filter_map(item).collect()))
    }

    /// Keys of present items: those that the newest order lists, then the others by birth and key.
    fn ordered(&self) -> Vec<&ItemKey> {
        let mut listed = BTreeSet::new();
        let mut out: Vec<&ItemKey> = Vec::with_capacity(self.items.len());
        if let Some((_, order)) = self.order.winner() {
            for key in order {
                if self.items.contains_key(key) && listed.insert(key) {
                    out.push(key);
                }
            }
        }
        let mut others: Vec<_> =
            self.items.iter().filter(|(key, _)| !listed.contains(key)).map(|(key, item)| (item.born(), key)).collect();
        others.sort_unstable();
        out.extend(others.into_iter().map(|(_, key)| key));
        out
    }
}

fn show_register(register: &Register<Leaf>) -> Option<(Stamp, Tree)> {
    let (stamp, leaf) = register.winner()?;
    let tree = if leaf.united && register.siblings().len() > 1 { unite(register) } else { leaf.tree.clone() };
    Some((*stamp, tree))
}

/// The union of the siblings that are field sets (rule M22): objects merged key by key; elsewhere the newest stands.
fn unite(register: &Register<Leaf>) -> Tree {
    let newest_first = register.siblings().iter().rev().filter(|(_, leaf)| leaf.united);
    let sets = newest_first.map(|(_, leaf)| match &leaf.tree {
        Tree::Raw(raw) => serde_json::from_slice::<Json>(raw).ok(),
        _ => None,
    });
    // A sibling that is not JSON is left out; if the newest is not, it is shown as it is.
    let mut sets = sets.peekable();
    if !matches!(sets.peek(), Some(Some(_))) {
        return register.winner().map_or(Tree::Null, |(_, leaf)| leaf.tree.clone());
    }
    let united = sets.flatten().reduce(|mut all, set| {
        absorb(&mut all, set);
        all
    });
    let mut out = String::new();
    canonical(&united.unwrap_or(Json::Null), &mut out);
    Tree::Raw(Bytes::from(out))
}

/// Adds to `all` what only `set` has.
fn absorb(all: &mut Json, set: Json) {
    if let (Json::Object(all), Json::Object(set)) = (all, set) {
        for (key, value) in set {
            match all.get_mut(&key) {
                Some(mine) => absorb(mine, value),
                None => {
                    all.insert(key, value);
                }
            }
        }
    }
}

/// JSON with sorted keys and no blanks, whatever map type the JSON library was built with.
fn canonical(value: &Json, out: &mut String) {
    match value {
        Json::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Json::String(key.clone()).to_string());
                out.push(':');
                canonical(value, out);
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
