//! What travels of a value.
//! Predecessor on the write path: the decoded local values. Successor: the diff of two projections.

use super::regroup::{regroup, ungroup};
use super::rules::HELM_SECRET_TYPE;
use super::split::{Fields, local_fields, split};
use crate::schema::{self, Kind, Node, Shape};
use crate::value::{Decoded, Tree};
use std::sync::LazyLock;

/// The replicated part of a value: no field that is local (L1, L2, status, per kind, by annotation), owners without uid,
/// grouped fields together. What the schema does not know travels.
pub fn project(value: &Decoded) -> Tree {
    let mut fields = split(&value.kind, &value.tree, &local_fields(&value.tree)).replicated;
    regroup(&value.kind, &mut fields);
    Tree::Map(fields)
}

/// What of replicated content can show at all. It is the content itself, except that concurrent writes can bring
/// together a field and the annotation that makes it local, and that a faulty peer can send anything. After an overlay,
/// `project(value) == restrict(kind, content)` (I-PROJ), but for owners that are not here.
pub fn restrict(kind: &str, content: &Tree) -> Tree {
    let mut fields = restricted(kind, content);
    regroup(kind, &mut fields);
    Tree::Map(fields)
}

/// The same, with groups taken apart.
pub(super) fn restricted(kind: &str, content: &Tree) -> Fields {
    let Tree::Map(fields) = content else { return Fields::new() };
    let mut fields = fields.clone();
    ungroup(kind, &mut fields);
    let tree = Tree::Map(fields);
    split(kind, &tree, &local_fields(&tree)).replicated
}

/// The shape of a value's projection. Kinds that the table does not know have no shape: [`Shape::UNKNOWN`].
pub fn shape(value: &Decoded) -> Shape {
    let is_release = || value.tree.get("type").and_then(Tree::as_str) == Some(HELM_SECRET_TYPE);
    if value.kind == "Secret" && value.api_version == "v1" && is_release() {
        return *HELM_RELEASE;
    }
    schema::lookup(&value.api_version, &value.kind).map_or(Shape::UNKNOWN, |of| of.shape())
}

/// A Secret whose data are one register: the parts of a release mean nothing without each other.
static HELM_RELEASE: LazyLock<Shape> = LazyLock::new(|| {
    let secret = schema::lookup("v1", "Secret").map_or(Shape::UNKNOWN, |of| of.shape());
    let whole = Node { kind: Kind::Atomic, known: true, fields: Default::default(), rest: None };
    let mut fields = secret.0.fields.clone();
    fields.insert("data", Shape(Box::leak(Box::new(whole))));
    Shape(Box::leak(Box::new(Node { kind: Kind::Granular, known: true, fields, rest: None })))
});
