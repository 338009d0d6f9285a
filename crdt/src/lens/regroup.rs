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
        move_entries(fields, "binaryData", "data", |name, value, data| {
            matches!(value, Tree::Bytes(_)) && !data.contains_key(name)
        });
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
        // Should merged content have both, the one register for the key stands.
        move_entries(fields, "data", "binaryData", |_, value, _| matches!(value, Tree::Bytes(_)));
    }
}

/// The groups of a kind; two versions of one kind name the same groups.
fn groups(kind: &str) -> impl Iterator<Item = &'static Group> {
    GROUPS.iter().filter(move |group| group.kind == kind)
}

/// Moves the entries that `fits` from one map to another; it also sees the other map.
fn move_entries(fields: &mut Fields, from: &str, to: &str, fits: impl Fn(&str, &Tree, &Fields) -> bool) {
    let Some(Tree::Map(mut source)) = fields.remove(from) else { return };
    let mut target = match fields.remove(to) {
        Some(Tree::Map(target)) => target,
        _ => Fields::new(),
    };
    let moved = source.iter().filter(|(name, value)| fits(name, value, &target));
    let moved: Vec<_> = moved.map(|(name, _)| name.clone()).collect();
    target.extend(moved.iter().filter_map(|name| source.remove_entry(name)));
    for (name, map) in [(from, source), (to, target)] {
        if !map.is_empty() {
            fields.insert(name.into(), Tree::Map(map));
        }
    }
}
