//! The table of Kubernetes' own types: what the codecs and the shapes are made from.
//!
//! `table.txt` is written by `generator/` and read once. One line each, words separated by one blank:
//!
//! - `T name [A] [M]` begins a type. Types are numbered from 0 in this order and refer only to earlier ones.
//!   `A`: structType=atomic. `M`: the JSON form also has kind and apiVersion (Go's embedded TypeMeta).
//! - `json-name number code [flags]` is a field of the type above it, in the order of the Go struct. The code is a
//!   scalar (`string bool int32 int64 bytes items time microtime quantity intorstring fields raw`) or the number of a
//!   type, after `[]` for a list and `{}` for a map with text keys. Flags: `*` explicit presence (a Go pointer), `o`
//!   omitempty, `z` omitzero, `~` inlined in JSON but nested in protobuf, `k:name,name=default` the keys of a keyed
//!   list, `S` a set, `A` atomic, `R` patch strategy retainKeys.
//! - `K apiVersion kind type` names a kind that is stored.

use super::shape::KeyField;
use crate::value::Field;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

/// All types that the table knows.
pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::parse(include_str!("table.txt")).expect("invariant: table.txt is what the generator wrote")
});

/// One message type.
#[derive(Debug)]
pub(crate) struct Type {
    /// Package and Go name, for example `core.v1.Container`.
    pub(crate) name: &'static str,
    /// Its JSON form has kind and apiVersion, which no tree holds.
    pub(crate) has_type_meta: bool,
    /// Marked structType=atomic.
    pub(crate) atomic: bool,
    /// In the order in which Go writes them to JSON.
    pub(crate) fields: Vec<FieldDef>,
    /// Positions in `fields`, by ascending field number.
    pub(crate) by_number: Vec<usize>,
    /// Every JSON name, those of inlined structs included.
    by_name: HashMap<&'static str, &'static FieldDef>,
}

/// One field of a type.
#[derive(Clone, Debug)]
pub(crate) struct FieldDef {
    /// JSON name.
    pub(crate) name: &'static str,
    /// The same, as a tree holds it.
    pub(crate) key: Field,
    /// Field number in protobuf.
    pub(crate) number: u32,
    /// One value, a list, or a map.
    pub(crate) count: Count,
    /// Type of the value, of the list's items, or of the map's values.
    pub(crate) scalar: Scalar,
    /// A zero value that is present differs from absence.
    pub(crate) pointer: bool,
    /// Go leaves it out of JSON when it is empty (structs are never empty in this sense).
    pub(crate) omit_empty: bool,
    /// Go leaves it out of JSON when it is zero, structs included.
    pub(crate) omit_zero: bool,
    /// Nested in protobuf, flattened in JSON and in trees.
    pub(crate) inline: bool,
    /// How Kubernetes merges it.
    pub(crate) merge: Merge,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    One,
    List,
    Map,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar {
    Text,
    Bool,
    Int32,
    Int64,
    Bytes,
    /// A message that only wraps a list of strings, which JSON shows as the list itself.
    Items,
    Time,
    MicroTime,
    Quantity,
    IntOrString,
    Fields,
    Raw,
    Message(&'static Type),
}

/// Markers on a field.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Merge {
    pub(crate) keys: &'static [KeyField],
    pub(crate) set: bool,
    pub(crate) atomic: bool,
    pub(crate) retain_keys: bool,
}

#[derive(Debug)]
pub(super) struct Table {
    kinds: BTreeMap<(&'static str, &'static str), &'static Type>,
}

impl Type {
    /// The field that JSON calls `name`, also when it belongs to an inlined struct.
    pub(crate) fn field(&self, name: &str) -> Option<&'static FieldDef> {
        self.by_name.get(name).copied()
    }

    fn new(header: Header, fields: Vec<FieldDef>) -> &'static Type {
        let mut by_number: Vec<usize> = (0..fields.len()).collect();
        by_number.sort_by_key(|&position| fields.get(position).map(|field| field.number));
        let mut by_name = HashMap::new();
        for field in &fields {
            if let (true, Scalar::Message(inner)) = (field.inline, field.scalar) {
                by_name.extend(inner.by_name.iter().map(|(name, field)| (*name, *field)));
            }
        }
        // A name of the outer struct hides the same name of an inlined one, as in Go.
        for field in fields.iter().filter(|field| !field.inline) {
            let leaked: &'static FieldDef = Box::leak(Box::new(field.clone()));
            by_name.insert(field.name, leaked);
        }
        let Header { name, has_type_meta, atomic } = header;
        Box::leak(Box::new(Type { name, has_type_meta, atomic, fields, by_number, by_name }))
    }
}

struct Header {
    name: &'static str,
    has_type_meta: bool,
    atomic: bool,
}

impl Table {
    pub(super) fn find(&self, api_version: &str, kind: &str) -> Option<&'static Type> {
        self.kinds.get(&(api_version, kind)).copied()
    }

    /// Every stored kind, by apiVersion and kind.
    pub(super) fn kinds(&self) -> impl Iterator<Item = (&'static str, &'static str, &'static Type)> {
        self.kinds.iter().map(|((api_version, kind), of)| (*api_version, *kind, *of))
    }

    fn parse(text: &'static str) -> Option<Table> {
        let mut types: Vec<&'static Type> = Vec::new();
        let mut kinds = BTreeMap::new();
        let mut open: Option<(Header, Vec<FieldDef>)> = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ');
            let first = words.next()?;
            if matches!(first, "T" | "K")
                && let Some((header, fields)) = open.take()
            {
                types.push(Type::new(header, fields));
            }
            match first {
                "T" => {
                    let name = words.next()?;
                    let flags: Vec<&str> = words.collect();
                    let header = Header { name, has_type_meta: flags.contains(&"M"), atomic: flags.contains(&"A") };
                    open = Some((header, Vec::new()));
                }
                "K" => {
                    let (api_version, kind) = (words.next()?, words.next()?);
                    kinds.insert((api_version, kind), *types.get(words.next()?.parse::<usize>().ok()?)?);
                }
                name => open.as_mut()?.1.push(parse_field(name, words, &types)?),
            }
        }
        Some(Table { kinds })
    }
}

fn parse_field(
    name: &'static str,
    mut words: std::str::Split<'static, char>,
    types: &[&'static Type],
) -> Option<FieldDef> {
    let number = words.next()?.parse().ok()?;
    let code = words.next()?;
    let (count, code) = match (code.strip_prefix("[]"), code.strip_prefix("{}")) {
        (Some(rest), _) => (Count::List, rest),
        (_, Some(rest)) => (Count::Map, rest),
        _ => (Count::One, code),
    };
    let scalar = match code {
        "string" => Scalar::Text,
        "bool" => Scalar::Bool,
        "int32" => Scalar::Int32,
        "int64" => Scalar::Int64,
        "bytes" => Scalar::Bytes,
        "items" => Scalar::Items,
        "time" => Scalar::Time,
        "microtime" => Scalar::MicroTime,
        "quantity" => Scalar::Quantity,
        "intorstring" => Scalar::IntOrString,
        "fields" => Scalar::Fields,
        "raw" => Scalar::Raw,
        index => Scalar::Message(types.get(index.parse::<usize>().ok()?)?),
    };
    let mut field = FieldDef {
        name,
        key: Arc::from(name),
        number,
        count,
        scalar,
        pointer: false,
        omit_empty: false,
        omit_zero: false,
        inline: false,
        merge: Merge::default(),
    };
    for flag in words {
        match flag {
            "*" => field.pointer = true,
            "o" => field.omit_empty = true,
            "z" => field.omit_zero = true,
            "~" => field.inline = true,
            "S" => field.merge.set = true,
            "A" => field.merge.atomic = true,
            "R" => field.merge.retain_keys = true,
            keys => field.merge.keys = parse_keys(keys.strip_prefix("k:")?),
        }
    }
    Some(field)
}

fn parse_keys(text: &'static str) -> &'static [KeyField] {
    let keys: Vec<KeyField> = text
        .split(',')
        .map(|key| match key.split_once('=') {
            Some((name, default)) => KeyField { name, default: Some(default) },
            None => KeyField { name: key, default: None },
        })
        .collect();
    Box::leak(keys.into_boxed_slice())
}
