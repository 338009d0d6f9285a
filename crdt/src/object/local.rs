//! Local writes: from the values before and after to the operation, applied at once.
//!
//! Predecessor on the write path: the lens, which projects both values. Successor: the entry that carries the operations
//! of one commit.

use super::diff::Differ;
use super::form::Form;
use super::life::{LifeInfo, Object};
use super::patch::Value;
use crate::dot::Stamp;
use crate::entry::{DeletePolicy, KeyOp};
use crate::key::ObjectKey;
use crate::schema::Shape;
use crate::value::Tree;
use crate::version_vector::VersionVector;

impl Object {
    /// The operation of a local create, which is applied to this state. `stamp` is the entry's; `deps` is the share's
    /// version vector before it.
    pub fn local_create(
        &mut self,
        key: &ObjectKey,
        life: LifeInfo,
        tree: &Tree,
        shape: Shape,
        stamp: Stamp,
        deps: &VersionVector,
    ) -> KeyOp {
        let op = KeyOp::Create { key: key.clone(), life, form: Form::of(tree, shape) };
        // A local write has seen all there is here, so it meets no conflict.
        let _ = self.apply(&op, stamp, deps);
        op
    }

    /// The operation of a local update from `old` to `new` (both projected), which is applied to this state. None if
    /// nothing replicated changed, or if the key does not exist in this state.
    ///
    /// Afterwards the state shows `new`, except for fields that the schema does not know and `new` lacks (rule L3).
    pub fn local_patch(
        &mut self,
        key: &ObjectKey,
        old: &Tree,
        new: &Tree,
        shape: Shape,
        stamp: Stamp,
        deps: &VersionVector,
    ) -> Option<KeyOp> {
        let (life, _) = self.winner()?;
        let Differ { mut patch, grown } = Differ::of(old, new, shape);
        if patch.is_empty() {
            return None;
        }
        let op = KeyOp::Patch { key: key.clone(), life, set: patch.set.clone(), del: std::mem::take(&mut patch.del) };
        let _ = self.apply(&op, stamp, deps);
        let KeyOp::Patch { mut set, del, .. } = op else { return None };
        // An item that comes back can still stand in the written order of its earlier birth.
        let root = &self.lives.get(&life)?.root;
        let misplaced: Vec<_> = grown
            .into_iter()
            .filter(|(path, keys)| root.at(path).is_some_and(|list| list.list_keys() != *keys))
            .map(|(path, keys)| (path, Value::Order(keys)))
            .collect();
        if !misplaced.is_empty() {
            let op = KeyOp::Patch { key: key.clone(), life, set: misplaced.clone(), del: Vec::new() };
            let _ = self.apply(&op, stamp, deps);
            set.extend(misplaced);
        }
        Some(KeyOp::Patch { key: key.clone(), life, set, del })
    }

    /// The operation of a local delete, which is applied to this state. None if the key does not exist in this state.
    pub fn local_delete(
        &mut self,
        key: &ObjectKey,
        policy: DeletePolicy,
        stamp: Stamp,
        deps: &VersionVector,
    ) -> Option<KeyOp> {
        if self.is_empty() {
            return None;
        }
        let op = KeyOp::Delete { key: key.clone(), policy };
        let _ = self.apply(&op, stamp, deps);
        Some(op)
    }
}
