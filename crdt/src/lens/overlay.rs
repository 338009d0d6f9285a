//! The value that a site shows: its own local fields under the replicated content.
//! Predecessor: what is visible in the CRDT. Successor: the encoder, then an ordinary local write.

use super::project::restricted;
use super::rules::WITH_GENERATION;
use super::split::{Fields, Local, join, local_fields, split};
use crate::value::{Decoded, Tree};

/// What the first value of a life at this site takes from the life and the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LifeSeed {
    /// The creator's uid.
    pub uid: String,
    /// RFC 3339, seconds; empty if the creator's apiserver wrote none.
    pub creation_timestamp: String,
    /// The namespace's name here; for the Namespace object, its own name.
    pub namespace: String,
    /// The object's name; ignored for the Namespace object.
    pub name: String,
}

/// The value to store: `local` (this site's current value, if any) with every replicated path replaced by `content`.
///
/// Without a local value, the seed gives identity, creation time and first generation, and a Namespace gets what its
/// apiserver would have given it. With one, identity stays, and generation rises if anything outside metadata and status
/// changed (M22). `owner_uid` tells the local uid of an owner by kind and name; owners that it does not know are left out
/// (M19). If nothing replicated differs, the result equals the local value.
pub fn overlay(
    kind: &str,
    local: Option<&Decoded>,
    content: &Tree,
    life: &LifeSeed,
    owner_uid: &dyn Fn(&str, &str) -> Option<String>,
) -> Tree {
    let mut replicated = restricted(kind, content);
    translate_owners(&mut replicated, owner_uid);
    let Some(local) = local.map(|value| &value.tree) else {
        return join(seed(kind, life), replicated);
    };
    let mut parts = split(kind, local, &local_fields(&Tree::Map(replicated.clone())));
    with_uids(&mut parts.replicated, local);
    // A Namespace has no life of its own in a share: each site made its own, before or for the share.
    let dated = kind != "Namespace" && set_creation(&mut parts.local.fields, &life.creation_timestamp);
    if parts.replicated == replicated && !dated {
        return local.clone();
    }
    let mut merged = join(parts.local, replicated);
    if content_of(local) != content_of(&merged) {
        raise_generation(&mut merged);
    }
    merged
}

fn text_map<const N: usize>(entries: [(&str, Tree); N]) -> Fields {
    entries.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

fn seed(kind: &str, life: &LifeSeed) -> Local {
    let is_namespace = kind == "Namespace";
    let name = if is_namespace { &life.namespace } else { &life.name };
    let mut metadata = text_map([("name", Tree::text(name)), ("uid", Tree::text(&life.uid))]);
    let mut fields = Fields::new();
    if !life.creation_timestamp.is_empty() {
        metadata.insert("creationTimestamp".into(), Tree::text(&life.creation_timestamp));
    }
    if WITH_GENERATION.contains(&kind) {
        metadata.insert("generation".into(), Tree::Int(1));
    }
    if is_namespace {
        let labels = text_map([("kubernetes.io/metadata.name", Tree::text(name))]);
        metadata.insert("labels".into(), Tree::Map(labels));
        let finalizers = Tree::List(vec![Tree::text("kubernetes")]);
        fields.insert("spec".into(), Tree::Map(text_map([("finalizers", finalizers)])));
        fields.insert("status".into(), Tree::Map(text_map([("phase", Tree::text("Active"))])));
    } else {
        metadata.insert("namespace".into(), Tree::text(&life.namespace));
    }
    fields.insert("metadata".into(), Tree::Map(metadata));
    Local { fields, ..Local::default() }
}

/// The owner references of the content, each with the uid that its owner has here.
fn translate_owners(fields: &mut Fields, owner_uid: &dyn Fn(&str, &str) -> Option<String>) {
    let Some(Tree::Map(metadata)) = fields.get_mut("metadata") else { return };
    let Some(Tree::List(owners)) = metadata.remove("ownerReferences") else { return };
    let known = owners.into_iter().filter_map(|owner| {
        let text = |field: &str| owner.get(field).and_then(Tree::as_str).unwrap_or_default();
        let uid = owner_uid(text("kind"), text("name"))?;
        let Tree::Map(mut fields) = owner else { return None };
        fields.insert("uid".into(), Tree::text(&uid));
        Some(Tree::Map(fields))
    });
    let known: Vec<Tree> = known.collect();
    if !known.is_empty() {
        metadata.insert("ownerReferences".into(), Tree::List(known));
    }
}

/// Gives the replicated part of the local value its owners' uids back, so that it compares with what will be stored.
fn with_uids(replicated: &mut Fields, local: &Tree) {
    if let (Some(Tree::Map(metadata)), Some(owners)) =
        (replicated.get_mut("metadata"), local.at(&["metadata", "ownerReferences"]))
    {
        metadata.insert("ownerReferences".into(), owners.clone());
    }
}

/// The creation time belongs to the life; true if it changed.
fn set_creation(local: &mut Fields, creation_timestamp: &str) -> bool {
    let Some(Tree::Map(metadata)) = local.get_mut("metadata") else { return false };
    if creation_timestamp.is_empty() {
        return false;
    }
    let created = Tree::text(creation_timestamp);
    metadata.insert("creationTimestamp".into(), created.clone()) != Some(created)
}

/// What generation counts: everything outside metadata and status.
fn content_of(tree: &Tree) -> Option<Fields> {
    let Tree::Map(fields) = tree else { return None };
    let counts = |name: &str| !matches!(name, "metadata" | "status");
    Some(fields.iter().filter(|(name, _)| counts(name)).map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn raise_generation(tree: &mut Tree) {
    if let Tree::Map(fields) = tree
        && let Some(Tree::Map(metadata)) = fields.get_mut("metadata")
        && let Some(Tree::Int(generation)) = metadata.get_mut("generation")
    {
        *generation = generation.saturating_add(1);
    }
}
