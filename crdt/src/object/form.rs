//! A value taken apart the way concurrent edits will be merged: by schema, or by the defaults where no schema is known.

use super::path::{ItemKey, read_ascending};
use crate::codec::{DecodeError, Reader, Writer};
use crate::schema::{KeyField, Kind, Shape};
use crate::value::{Field, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// The content of one register.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    /// The value.
    pub tree: Tree,
    /// True if concurrent values are shown united, as managedFields' field sets are (rule M22).
    pub united: bool,
}

/// A decomposed value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// One register: scalars, atomic structs and lists, lists with duplicate keys, and empty maps and lists.
    Leaf(Leaf),
    /// A struct or map with at least one field.
    Map(BTreeMap<Field, Form>),
    /// A keyed list or a set with at least one item, in the written order.
    List(Vec<(ItemKey, Form)>),
    /// An element of a set: the value is the item's key.
    Element,
}

impl Form {
    /// Takes `tree` apart. The result depends on nothing else, so the old and the new side of a diff agree.
    pub fn of(tree: &Tree, shape: Shape) -> Form {
        match Structure::of(tree, shape) {
            Structure::Leaf => leaf(tree, shape),
            Structure::Map(fields) => {
                Form::Map(fields.iter().map(|(name, v)| (name.clone(), Form::of(v, shape.child(name)))).collect())
            }
            Structure::List(items) => Form::List(
                items
                    .into_iter()
                    .map(|(key, v)| {
                        (key, if shape.kind() == Kind::Set { Form::Element } else { Form::of(v, shape.item()) })
                    })
                    .collect(),
            ),
        }
    }

    /// The value again, whole.
    pub fn tree(&self) -> Tree {
        match self {
            Form::Leaf(leaf) => leaf.tree.clone(),
            Form::Map(fields) => Tree::Map(fields.iter().map(|(name, v)| (name.clone(), v.tree())).collect()),
            Form::List(items) => Tree::List(items.iter().map(|(key, v)| v.item_tree(key)).collect()),
            Form::Element => Tree::Null,
        }
    }

    fn item_tree(&self, key: &ItemKey) -> Tree {
        match self {
            Form::Element => key.0.first().cloned().unwrap_or(Tree::Null),
            other => other.tree(),
        }
    }
}

pub(super) fn leaf(tree: &Tree, shape: Shape) -> Form {
    Form::Leaf(Leaf { tree: tree.clone(), united: shape.kind() == Kind::FieldSet })
}

/// How a value is taken apart at one level, borrowed from the value.
pub(super) enum Structure<'a> {
    Leaf,
    Map(&'a BTreeMap<Field, Tree>),
    List(Vec<(ItemKey, &'a Tree)>),
}

impl<'a> Structure<'a> {
    pub(super) fn of(tree: &'a Tree, shape: Shape) -> Structure<'a> {
        match (shape.kind(), tree) {
            (Kind::Granular, Tree::Map(fields)) if !fields.is_empty() => Structure::Map(fields),
            (Kind::KeyedList(keys), Tree::List(items)) => keyed(items, |item| item_key(item, keys)),
            (Kind::Set, Tree::List(items)) => keyed(items, element_key),
            _ => Structure::Leaf,
        }
    }
}

/// The list by key; one register if it is empty, or if an item has no key or shares it with another.
fn keyed(items: &[Tree], key: impl Fn(&Tree) -> Option<ItemKey>) -> Structure<'_> {
    let mut out = Vec::with_capacity(items.len());
    let mut seen = BTreeSet::new();
    for item in items {
        match key(item) {
            Some(key) if seen.insert(key.clone()) => out.push((key, item)),
            _ => return Structure::Leaf,
        }
    }
    if out.is_empty() { Structure::Leaf } else { Structure::List(out) }
}

fn item_key(item: &Tree, keys: &[KeyField]) -> Option<ItemKey> {
    let Tree::Map(fields) = item else { return None };
    let part = |key: &KeyField| match fields.get(key.name) {
        Some(Tree::List(_) | Tree::Map(_)) => None,
        Some(value) => Some(value.clone()),
        None => Some(key.default.map_or(Tree::Null, Tree::text)),
    };
    keys.iter().map(part).collect::<Option<_>>().map(ItemKey)
}

fn element_key(item: &Tree) -> Option<ItemKey> {
    match item {
        Tree::List(_) | Tree::Map(_) => None,
        scalar => Some(ItemKey(vec![scalar.clone()])),
    }
}

// === codec: tags above those of Tree ===

const UNITED: u8 = 16;
const MAP: u8 = 17;
const LIST: u8 = 18;
const ELEMENT: u8 = 19;

impl Form {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Form::Leaf(leaf) => {
                if leaf.united {
                    w.byte(UNITED);
                }
                leaf.tree.write(w);
            }
            Form::Map(fields) => {
                w.byte(MAP);
                w.count(fields.len());
                for (name, v) in fields {
                    w.text(name);
                    v.write(w);
                }
            }
            Form::List(items) => {
                w.byte(LIST);
                w.count(items.len());
                for (key, v) in items {
                    key.write(w);
                    v.write(w);
                }
            }
            Form::Element => w.byte(ELEMENT),
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Form, DecodeError> {
        Ok(match r.byte()? {
            UNITED => Form::Leaf(Leaf { tree: r.nested(Tree::read)?, united: true }),
            MAP => {
                let n = r.count()?;
                Form::Map(read_ascending(r, n, |r| Ok((r.text()?, r.nested(Form::read)?)))?)
            }
            LIST => {
                let n = r.count()?;
                let mut items = Vec::new();
                let mut seen = BTreeSet::new();
                for _ in 0..n {
                    let key = ItemKey::read(r)?;
                    if !seen.insert(key.clone()) {
                        return Err(DecodeError::Malformed("list with a key twice"));
                    }
                    items.push((key, r.nested(Form::read)?));
                }
                Form::List(items)
            }
            ELEMENT => Form::Element,
            tag => Form::Leaf(Leaf { tree: r.nested(|r| Tree::read_tagged(tag, r))?, united: false }),
        })
    }
}
