//! What a local write of a shared key means to other sites: a pure function from the values before and after.

use archipel_crdt::dot::Stamp;
use archipel_crdt::entry::{DeletePolicy, KeyOp};
use archipel_crdt::key::ObjectKey;
use archipel_crdt::lens::{self, Class};
use archipel_crdt::object::{LifeInfo, Object};
use archipel_crdt::schema::Shape;
use archipel_crdt::value::{self, Tree};
use archipel_crdt::version_vector::VersionVector;

/// What a write says, before it has a dot.
#[derive(Clone, Debug)]
pub(super) enum Intent {
    /// A new life.
    Create { life: LifeInfo, tree: Tree, shape: Shape },
    /// A change of the visible life, from one projection to another.
    Update { old: Tree, new: Tree, shape: Shape },
    /// The end of every life that is here.
    Delete(DeletePolicy),
}

impl Intent {
    /// Applies the intent to the object's state under the entry's stamp, and gives the operation that does the same at
    /// other sites. None if it changes nothing replicated.
    pub(super) fn apply(
        &self,
        object: &mut Object,
        key: &ObjectKey,
        stamp: Stamp,
        deps: &VersionVector,
    ) -> Option<KeyOp> {
        match self {
            Intent::Create { life, tree, shape } => {
                Some(object.local_create(key, life.clone(), tree, *shape, stamp, deps))
            }
            Intent::Update { old, new, shape } => object.local_patch(key, old, new, *shape, stamp, deps),
            Intent::Delete(policy) => object.local_delete(key, *policy, stamp, deps),
        }
    }
}

/// What the write says, if anything. `before` and `after` are the stored values, decoded; `object` is the CRDT's state.
///
/// - What is local by class says nothing, and what became local (adopted by a controller) is frozen.
/// - A delete is said when the object starts terminating, not when its finalizers are done (rule M13).
/// - What happens to an object that is terminating is this site's own business (rule M14).
/// - A write that changes no replicated path says nothing.
pub(super) fn intent(
    key: &ObjectKey,
    object: Option<&Object>,
    before: Option<&value::Decoded>,
    after: Option<&value::Decoded>,
) -> Option<Intent> {
    let visible = object.and_then(Object::visible);
    if before.is_some_and(|value| is_terminating(&value.tree)) {
        return None;
    }
    let Some(after) = after else {
        return visible.map(|_| Intent::Delete(DeletePolicy::Background));
    };
    if lens::classify(key, after) != Class::Replicated {
        return None;
    }
    if is_terminating(&after.tree) {
        return visible.map(|_| Intent::Delete(delete_policy(&after.tree)));
    }
    let (new, shape) = (lens::project(after), lens::shape(after));
    let Some((_, _, shown)) = visible else {
        return Some(Intent::Create { life: life_info(after), tree: new, shape });
    };
    // What the writer saw is the local value; without one (the object was held) it is what is visible.
    let old = before.map_or(shown, lens::project);
    (old != new).then_some(Intent::Update { old, new, shape })
}

/// Identity of the life that a locally created object begins.
fn life_info(value: &value::Decoded) -> LifeInfo {
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
