//! Fields that exclude each other are moved together, so that a projection has one register for them; and back.

use super::split::Fields;
use crate::schema::{GROUPS, Group};
use crate::value::Tree;

/// Moves grouped fields under their group's name, and a ConfigMap's binaryData into data, where text and bytes are told
/// apart by their type: a key has one content. A key in both (no apiserver accepts that) stays where it is.
pub(super) fn regroup(kind: &str, fields: &mut Fields) {
    for group in groups(kind) {
        let Some(Tree::Map(spec)) = fields.get_mut("spec") else { continue };
        let members = group.members.iter().filter_map(|member| spec.remove_entry(*member));
        let grouped: Fields = members.collect();
        if !grouped.is_empty() {
            spec.insert(group.field.into(), Tree::Map(grouped));
        }
    }
    if kind == "ConfigMap" {
        move_entries(fields, "binaryData", "data", |value| matches!(value, Tree::Bytes(_)));
    }
}

/// The inverse of [`regroup`].
pub(super) fn ungroup(kind: &str, fields: &mut Fields) {
    for group in groups(kind) {
        let Some(Tree::Map(spec)) = fields.get_mut("spec") else { continue };
        if let Some(Tree::Map(grouped)) = spec.remove(group.field) {
            spec.extend(grouped.into_iter().filter(|(name, _)| group.members.contains(&name.as_ref())));
        }
    }
    if kind == "ConfigMap" {
        move_entries(fields, "data", "binaryData", |value| matches!(value, Tree::Bytes(_)));
    }
}

/// The groups of a kind; two versions of one kind name the same groups.
fn groups(kind: &str) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(move |group| group.kind == kind)
}

/// Moves the entries that `fits` from one map to another, unless their names are taken there.
fn move_entries(fields: &mut Fields, from: &str, to: &str, fits: impl Fn(&Tree) -> bool) {
    let Some(Tree::Map(mut source)) = fields.remove(from) else { return };
    let mut target = match fields.remove(to) {
        Some(Tree::Map(target)) => target,
        _ => Fields::new(),
    };
    let names: Vec<_> = source.iter().filter(|(name, value)| fits(value) && !target.contains_key(*name)).collect();
    let names: Vec<_> = names.into_iter().map(|(name, _)| name.clone()).collect();
    for name in names {
        if let Some(value) = source.remove(&name) {
            target.insert(name, value);
        }
    }
    for (name, map) in [(from, source), (to, target)] {
        if !map.is_empty() {
            fields.insert(name.into(), Tree::Map(map));
        }
    }
}
