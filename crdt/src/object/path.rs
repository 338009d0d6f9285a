//! Where in an object: paths of field names and list item keys.

use crate::codec::{DecodeError, Reader, Writer};
use crate::value::{Field, Tree};
use std::fmt;

/// What tells an item of a keyed list from its neighbours: the values of the list's key fields, in the schema's order,
/// defaults filled in. An element of a set is its own key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ItemKey(pub Vec<Tree>);

/// One step down.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Step {
    /// To a field of a struct or a key of a map.
    Field(Field),
    /// To an item of a keyed list or an element of a set.
    Item(ItemKey),
}

/// A place in an object, from its root. Paths say by themselves what is a map and what is a list, so that a receiver
/// never needs the writer's schema.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The root.
    pub fn root() -> Path {
        Path::default()
    }

    /// This place's child.
    pub fn child(&self, step: Step) -> Path {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(step);
        Path(steps)
    }
}

impl fmt::Display for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match part {
                Tree::Text(s) => f.write_str(s)?,
                Tree::Int(n) => write!(f, "{n}")?,
                Tree::Bool(b) => write!(f, "{b}")?,
                Tree::Null => {}
                other => write!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}

/// For people: `spec/template/spec/containers[web]/image`. A field name that itself holds a slash or a bracket is quoted.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Item(key) => write!(f, "[{key}]")?,
                Step::Field(name) => {
                    if i > 0 {
                        f.write_str("/")?;
                    }
                    if name.contains(['/', '[', ']']) { write!(f, "\"{name}\"")? } else { f.write_str(name)? }
                }
            }
        }
        Ok(())
    }
}

// === codec ===

/// Lowest bit of a step's header: clear for a field, set for an item.
const ITEM: u64 = 1;

impl ItemKey {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.count(self.0.len());
        for part in &self.0 {
            part.write(w);
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<ItemKey, DecodeError> {
        let n = r.count()?;
        Self::read_parts(r, n)
    }

    fn read_parts(r: &mut Reader<'_>, n: usize) -> Result<ItemKey, DecodeError> {
        (0..n).map(|_| r.nested(Tree::read)).collect::<Result<_, _>>().map(ItemKey)
    }
}

impl Path {
    /// Writes this path as what differs from the path written before it.
    pub(crate) fn write_after(&self, before: &Path, w: &mut Writer) {
        let shared = self.0.iter().zip(&before.0).take_while(|(a, b)| a == b).count();
        w.count(shared);
        w.count(self.0.len() - shared);
        for step in self.0.iter().skip(shared) {
            match step {
                Step::Field(name) => w.tagged_text(name, 0, 2),
                Step::Item(key) => {
                    w.varint(((key.0.len() as u64) << 1) | ITEM);
                    for part in &key.0 {
                        part.write(w);
                    }
                }
            }
        }
    }

    pub(crate) fn read_after(before: &Path, r: &mut Reader<'_>) -> Result<Path, DecodeError> {
        let shared = usize::try_from(r.varint()?).map_err(|_| DecodeError::Malformed("path"))?;
        let mut steps = before.0.get(..shared).ok_or(DecodeError::Malformed("path"))?.to_vec();
        for _ in 0..r.count()? {
            let head = r.varint()?;
            steps.push(if head & ITEM == 0 {
                Step::Field(r.text_after(head, 2)?)
            } else {
                let parts = usize::try_from(head >> 1).map_err(|_| DecodeError::Truncated)?;
                Step::Item(ItemKey::read_parts(r, parts)?)
            });
        }
        if steps.len() > PATH_STEPS_MAX { Err(DecodeError::TooDeep) } else { Ok(Path(steps)) }
    }
}

/// Longest path that is read: as deep as any value may be nested.
const PATH_STEPS_MAX: usize = 256;

impl Tree {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Tree::Null => w.byte(0),
            Tree::Bool(false) => w.byte(1),
            Tree::Bool(true) => w.byte(2),
            Tree::Int(n) => {
                w.byte(3);
                w.signed(*n);
            }
            Tree::Float(bits) => {
                w.byte(4);
                w.fixed64(*bits);
            }
            Tree::Text(s) => {
                w.byte(5);
                w.text(s);
            }
            Tree::Bytes(b) => {
                w.byte(6);
                w.blob(b);
            }
            Tree::Raw(b) => {
                w.byte(7);
                w.blob(b);
            }
            Tree::List(items) => {
                w.byte(8);
                w.count(items.len());
                items.iter().for_each(|item| item.write(w));
            }
            Tree::Map(fields) => {
                w.byte(9);
                w.count(fields.len());
                for (name, value) in fields {
                    w.text(name);
                    value.write(w);
                }
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Tree, DecodeError> {
        let tag = r.byte()?;
        Self::read_tagged(tag, r)
    }

    /// The tree whose tag was read already.
    pub(crate) fn read_tagged(tag: u8, r: &mut Reader<'_>) -> Result<Tree, DecodeError> {
        Ok(match tag {
            0 => Tree::Null,
            1 => Tree::Bool(false),
            2 => Tree::Bool(true),
            3 => Tree::Int(r.signed()?),
            4 => Tree::Float(r.fixed64()?),
            5 => Tree::Text(r.text()?),
            6 => Tree::Bytes(r.blob()?),
            7 => Tree::Raw(r.blob()?),
            8 => {
                let n = r.count()?;
                Tree::List((0..n).map(|_| r.nested(Tree::read)).collect::<Result<_, _>>()?)
            }
            9 => {
                let n = r.count()?;
                Tree::Map(read_ascending(r, n, |r| Ok((r.text()?, r.nested(Tree::read)?)))?)
            }
            _ => return Err(DecodeError::Malformed("value tag")),
        })
    }
}

/// Reads a map whose keys must ascend strictly: equal maps have one form only.
pub(crate) fn read_ascending<K: Ord, V>(
    r: &mut Reader<'_>,
    n: usize,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<(K, V), DecodeError>,
) -> Result<std::collections::BTreeMap<K, V>, DecodeError> {
    let mut out = std::collections::BTreeMap::new();
    for _ in 0..n {
        let (k, v) = read(r)?;
        if out.last_key_value().is_some_and(|(last, _)| *last >= k) {
            return Err(DecodeError::Malformed("order of keys"));
        }
        out.insert(k, v);
    }
    Ok(out)
}
