//! What a local write of a shared key means to other sites: a pure function from the values before and after.

use archipel_crdt::entry::{DeletePolicy, KeyOp, LifeInfo};
use archipel_crdt::key::ObjectKey;
use archipel_crdt::lens::{self, Class};
use archipel_crdt::object::Object;
use archipel_crdt::value::{Decoded, Tree};

/// The operation to emit, if any. `before` and `after` are the stored values, decoded; `object` is the CRDT's state.
///
/// - What is local by class says nothing, and what became local (adopted by a controller) is frozen.
/// - A delete is said when the object starts terminating, not when its finalizers are done (rule M13).
/// - What happens to an object that is terminating is this site's own business (rule M14).
/// - A write that changes no replicated path says nothing.
pub(super) fn operation(
    key: &ObjectKey,
    object: Option<&Object>,
    before: Option<&Decoded>,
    after: Option<&Decoded>,
) -> Option<KeyOp> {
    let visible = object.and_then(Object::visible);
    if before.is_some_and(|value| is_terminating(&value.tree)) {
        return None;
    }
    let Some(after) = after else {
        return visible.map(|_| KeyOp::Delete { key: key.clone(), policy: DeletePolicy::Background });
    };
    if !matches!(lens::classify(key, after), Class::Replicated) {
        return None;
    }
    if is_terminating(&after.tree) {
        return visible.map(|_| KeyOp::Delete { key: key.clone(), policy: delete_policy(&after.tree) });
    }
    let new = lens::project(after);
    let Some(visible) = visible else {
        return Some(KeyOp::Create { key: key.clone(), life: life_info(after), tree: new });
    };
    // What the writer saw is the local value; without one (the object was held) it is what is visible.
    let old = before.map_or_else(|| visible.tree.clone(), lens::project);
    let patch = archipel_crdt::object::diff(&old, &new, lens::shape(after));
    (!patch.is_empty()).then(|| KeyOp::Patch { key: key.clone(), life: visible.dot, set: patch.set, del: patch.del })
}

/// Identity of the life that a locally created object begins.
fn life_info(value: &Decoded) -> LifeInfo {
    let text = |path: &[&str]| value.tree.at(path).and_then(Tree::as_str).unwrap_or_default().to_owned();
    LifeInfo {
        uid: text(&["metadata", "uid"]),
        creation_timestamp: text(&["metadata", "creationTimestamp"]),
        api_version: value.api_version.clone(),
        kind: value.kind.clone(),
    }
}

/// True from the write that set `metadata.deletionTimestamp`.
pub(super) fn is_terminating(tree: &Tree) -> bool {
    tree.at(&["metadata", "deletionTimestamp"]).is_some()
}

/// The propagation policy, as kube-apiserver left it in the garbage collector's finalizers
/// (apiserver pkg/registry/generic/registry/store.go, deletionFinalizersForGarbageCollection).
fn delete_policy(tree: &Tree) -> DeletePolicy {
    let has = |name: &str| match tree.at(&["metadata", "finalizers"]) {
        Some(Tree::List(items)) => items.iter().any(|item| item.as_str() == Some(name)),
        _ => false,
    };
    if has("foregroundDeletion") {
        DeletePolicy::Foreground
    } else if has("orphan") {
        DeletePolicy::Orphan
    } else {
        DeletePolicy::Background
    }
}
