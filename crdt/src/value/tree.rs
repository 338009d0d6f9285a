//! The encoding-neutral form of a Kubernetes object.

use base64::Engine;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of a field as JSON spells it, or a key of a map. A protobuf field that the schema table does not know is
/// called `#N` after its number, and holds [`Tree::Bytes`]: its raw wire form, tags included.
pub type Field = Arc<str>;

/// A value that both storage encodings decode to.
///
/// Normal form, so that the same object gives the same tree from protobuf and from JSON: JSON names, inlined structs
/// flattened, base64 and timestamps in one spelling, fields without explicit presence absent when they are zero.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tree {
    /// JSON null inside unknown content, and the zero time in a list or map; known fields are absent instead.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A number with a fraction: its IEEE 754 bits, so that trees have a total order.
    Float(u64),
    /// A string; also times, quantities and the text half of int-or-string.
    Text(Arc<str>),
    /// Binary content (base64 in JSON).
    Bytes(Bytes),
    /// Embedded JSON of no schema (FieldsV1, RawExtension), in canonical form: sorted keys, no blanks.
    Raw(Bytes),
    /// A list in order.
    List(Vec<Tree>),
    /// A struct or a map.
    Map(BTreeMap<Field, Tree>),
}

impl Tree {
    /// An empty map.
    pub fn map() -> Tree {
        Tree::Map(BTreeMap::new())
    }

    /// A string value.
    pub fn text(s: &str) -> Tree {
        Tree::Text(Arc::from(s))
    }

    /// The child `field` of a map.
    pub fn get(&self, field: &str) -> Option<&Tree> {
        match self {
            Tree::Map(fields) => fields.get(field),
            _ => None,
        }
    }

    /// The value at a path of map fields.
    pub fn at(&self, path: &[&str]) -> Option<&Tree> {
        path.iter().try_fold(self, |tree, field| tree.get(field))
    }

    /// The text of a string value.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Tree::Text(s) => Some(s),
            _ => None,
        }
    }

    /// The value as JSON text without a schema, for people: binary content in base64, embedded JSON as it is.
    pub fn to_json(&self) -> String {
        self.json().to_string()
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Tree::Null => serde_json::Value::Null,
            Tree::Bool(b) => (*b).into(),
            Tree::Int(n) => (*n).into(),
            Tree::Float(bits) => f64::from_bits(*bits).into(),
            Tree::Text(s) => s.as_ref().into(),
            Tree::Bytes(bytes) => base64::engine::general_purpose::STANDARD.encode(bytes).into(),
            Tree::Raw(json) => serde_json::from_slice(json).unwrap_or_default(),
            Tree::List(items) => items.iter().map(Tree::json).collect(),
            Tree::Map(fields) => fields.iter().map(|(name, value)| (name.to_string(), value.json())).collect(),
        }
    }
}
