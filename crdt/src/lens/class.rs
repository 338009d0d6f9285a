//! Which objects travel: replicate roots, not derivations.

use super::rules::{
    EXCLUDED_NAMES, EXCLUDED_SECRET_TYPES, HEADLESS, ISSUER_ANNOTATION, KINDS, NEVER_SHARED, REPLICATE_LABEL,
};
use crate::key::ObjectKey;
use crate::schema;
use crate::value::{Decoded, Tree};

/// What happens to an object of a shared namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// A root: what a person or a tool wrote. Its projection travels; of a Namespace that is little.
    Replicated,
    /// Made by a controller from another object (`controller: true`): each site's controllers make their own.
    Derived,
    /// Belongs to its site, because of what the text says.
    Local(&'static str),
    /// Would travel, but cannot now, because of what the text says: neither emitted nor shown (L4).
    Held(&'static str),
}

/// Whether a namespace may be shared at all.
pub fn may_share(namespace: &str) -> bool {
    !NEVER_SHARED.contains(&namespace)
}

/// The class of an object that is stored under `key`. The kind is taken from the value, never from the key, and both must
/// agree. Values that do not decode (ciphertext among them) have no class: they are local.
pub fn classify(key: &ObjectKey, value: &Decoded) -> Class {
    let tree = &value.tree;
    let stored = KINDS.iter().find(|(group, resource, _)| *group == key.group && *resource == key.resource);
    let Some((group, _, kind)) = stored else { return Class::Local("this kind is not replicated") };
    let api_group = value.api_version.split_once('/').map_or("", |(group, _)| group);
    if value.kind != *kind || api_group != *group {
        return Class::Local("the object is of another kind than its key");
    }
    let text = |path: &[&str]| tree.at(path).and_then(Tree::as_str);
    let name = text(&["metadata", "name"]).unwrap_or_default();
    if !key.name.is_empty() && name != key.name {
        return Class::Local("the object has another name than its key");
    }
    if schema::lookup(&value.api_version, kind).is_none() {
        return Class::Held("this site's version does not know the object's apiVersion: upgrade it");
    }
    let wish = text(&["metadata", "labels", REPLICATE_LABEL]);
    if *kind == "Namespace" {
        return Class::Replicated;
    }
    if wish == Some("false") {
        return Class::Local("the label archipel.dev/replicate says so");
    }
    if is_controlled(tree) && wish != Some("true") {
        return Class::Derived;
    }
    if EXCLUDED_NAMES.contains(&(kind, name)) {
        return Class::Local("every cluster makes this object for itself");
    }
    match *kind {
        "Secret" => classify_secret(tree, wish),
        "Service" => classify_service(tree),
        _ => Class::Replicated,
    }
}

fn is_controlled(tree: &Tree) -> bool {
    match tree.at(&["metadata", "ownerReferences"]) {
        Some(Tree::List(owners)) => owners.iter().any(|owner| owner.get("controller") == Some(&Tree::Bool(true))),
        _ => false,
    }
}

fn classify_secret(tree: &Tree, wish: Option<&str>) -> Class {
    let secret_type = tree.get("type").and_then(Tree::as_str).unwrap_or_default();
    if EXCLUDED_SECRET_TYPES.contains(&secret_type) {
        return Class::Local("only its own cluster accepts this token");
    }
    let issued = match tree.at(&["metadata", "annotations"]) {
        Some(Tree::Map(annotations)) => annotations.keys().any(|name| name.starts_with(ISSUER_ANNOTATION)),
        _ => false,
    };
    if issued && wish != Some("true") {
        return Class::Local("an issuer of this cluster renews it");
    }
    Class::Replicated
}

fn classify_service(tree: &Tree) -> Class {
    let spec = |field: &str| tree.at(&["spec", field]).and_then(Tree::as_str).unwrap_or_default();
    if spec("type") == "ExternalName" || spec("clusterIP") == HEADLESS {
        return Class::Replicated;
    }
    Class::Held(
        "a Service with a cluster IP needs one of each cluster: only headless and ExternalName Services are shared",
    )
}
