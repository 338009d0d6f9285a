//! A change of one object, as it travels.

use super::form::Form;
use super::path::{ItemKey, Path};
use crate::codec::{DecodeError, Reader, Writer};
use crate::value::Tree;

/// What happens at the place that a path names. "Observed" is what the writer's history includes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// The place gets this content. A register overwrites what was observed there; a map overwrites an observed register
    /// and, by name, the fields that it holds; a list overwrites all that was observed.
    Write(Form),
    /// The place gets this content, and all that was observed there goes.
    Replace(Form),
    /// The path ends with an item or element that is new: a birth. Observed births of the same key go.
    Add(Form),
    /// The items of the list at the path were put into this order.
    Order(Vec<ItemKey>),
}

/// The difference between two values of an object. Deletions come first when it is applied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Patch {
    /// What is written, in path order of the new value.
    pub set: Vec<(Path, Value)>,
    /// Places whose observed content goes.
    pub del: Vec<Path>,
}

impl Value {
    /// What was written, for people.
    pub fn tree(&self) -> Tree {
        match self {
            Value::Write(form) | Value::Replace(form) | Value::Add(form) => form.tree(),
            Value::Order(keys) => Tree::List(keys.iter().map(|key| Tree::text(&key.to_string())).collect()),
        }
    }
}

impl Patch {
    /// True if nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.del.is_empty()
    }

    pub(crate) fn write(set: &[(Path, Value)], del: &[Path], w: &mut Writer) {
        let root = Path::root();
        let mut before = &root;
        w.count(del.len());
        for path in del {
            path.write_after(before, w);
            before = path;
        }
        w.count(set.len());
        for (path, value) in set {
            path.write_after(before, w);
            before = path;
            match value {
                Value::Write(form) => write_form(0, form, w),
                Value::Replace(form) => write_form(1, form, w),
                Value::Add(form) => write_form(2, form, w),
                Value::Order(keys) => {
                    w.byte(3);
                    w.count(keys.len());
                    keys.iter().for_each(|key| key.write(w));
                }
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Patch, DecodeError> {
        let mut patch = Patch::default();
        let mut before = Path::root();
        for _ in 0..r.count()? {
            before = Path::read_after(&before, r)?;
            patch.del.push(before.clone());
        }
        for _ in 0..r.count()? {
            before = Path::read_after(&before, r)?;
            let value = match r.byte()? {
                0 => Value::Write(Form::read(r)?),
                1 => Value::Replace(Form::read(r)?),
                2 => Value::Add(Form::read(r)?),
                3 => {
                    let n = r.count()?;
                    Value::Order((0..n).map(|_| ItemKey::read(r)).collect::<Result<_, _>>()?)
                }
                _ => return Err(DecodeError::Malformed("kind of write")),
            };
            patch.set.push((before.clone(), value));
        }
        Ok(patch)
    }
}

fn write_form(tag: u8, form: &Form, w: &mut Writer) {
    w.byte(tag);
    form.write(w);
}
