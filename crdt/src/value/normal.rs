//! The normal form of single values, which both codecs share: what is zero, and how special types are spelled.

use super::error::ValueError;
use super::json::{self, Escape, Json};
use super::time;
use super::tree::Tree;
use crate::schema::Scalar;
use bytes::Bytes;

/// What a quantity without content is.
pub(super) const QUANTITY_ZERO: &str = "0";

/// Whether a field without explicit presence is absent when it holds `value`.
pub(super) fn is_zero(scalar: Scalar, value: &Tree) -> bool {
    match (scalar, value) {
        (Scalar::Quantity, Tree::Text(text)) => text.as_ref() == QUANTITY_ZERO,
        // The empty string is a value of its own here: the zero of this type is the integer.
        (Scalar::IntOrString, Tree::Text(_)) => false,
        (_, Tree::Bool(false) | Tree::Int(0)) => true,
        (_, Tree::Text(text)) => text.is_empty(),
        (_, Tree::Bytes(bytes) | Tree::Raw(bytes)) => bytes.is_empty(),
        (_, Tree::List(items)) => items.is_empty(),
        (_, Tree::Map(fields)) => fields.is_empty(),
        _ => false,
    }
}

/// The zero value, which stands in lists and maps, and behind pointers; none for those that cannot be told from absence.
pub(super) fn zero(scalar: Scalar) -> Option<Tree> {
    Some(match scalar {
        Scalar::Text => Tree::text(""),
        Scalar::Bool => Tree::Bool(false),
        Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString => Tree::Int(0),
        Scalar::Bytes => Tree::Bytes(Bytes::new()),
        Scalar::Items => Tree::List(Vec::new()),
        Scalar::Quantity => Tree::text(QUANTITY_ZERO),
        Scalar::Message(_) => Tree::map(),
        Scalar::Time | Scalar::MicroTime | Scalar::Fields | Scalar::Raw => return None,
    })
}

/// The text of a time; none for Go's zero time. `micros` is ignored for the type that has seconds only.
pub(super) fn time_tree(scalar: Scalar, seconds: i64, micros: u32, at: &str) -> Result<Option<Tree>, ValueError> {
    let micros = matches!(scalar, Scalar::MicroTime).then_some(micros);
    if seconds == time::ZERO_SECONDS && micros.unwrap_or(0) == 0 {
        return Ok(None);
    }
    match time::format(seconds, micros) {
        Some(text) => Ok(Some(Tree::text(&text))),
        None => Err(ValueError::malformed(at, "a time is outside the years 1 to 9999")),
    }
}

/// Embedded content: canonical when it is JSON, otherwise the bytes as they are; none when there is none.
pub(super) fn embedded(bytes: &[u8]) -> Option<Tree> {
    match json::parse(bytes) {
        Ok(value) => embedded_json(&value),
        Err(_) if bytes.is_empty() => None,
        Err(_) => Some(Tree::Bytes(Bytes::copy_from_slice(bytes))),
    }
}

/// The same for content that is parsed already. Go reads an embedded null as nothing.
pub(super) fn embedded_json(value: &Json) -> Option<Tree> {
    if *value == Json::Null {
        return None;
    }
    let mut canonical = Vec::new();
    json::put_canonical(&mut canonical, value, Escape::Minimal);
    Some(Tree::Raw(Bytes::from(canonical)))
}

/// The error for a tree that does not fit its schema.
pub(super) fn mismatch(at: &str, found: &Tree, wanted: Scalar) -> ValueError {
    ValueError::Mismatch { at: at.to_owned(), found: tree_kind(found), wanted: scalar_kind(wanted) }
}

pub(super) fn tree_kind(tree: &Tree) -> &'static str {
    match tree {
        Tree::Null => "null",
        Tree::Bool(_) => "a boolean",
        Tree::Int(_) => "an integer",
        Tree::Float(_) => "a fraction",
        Tree::Text(_) => "a string",
        Tree::Bytes(_) => "bytes",
        Tree::Raw(_) => "embedded JSON",
        Tree::List(_) => "a list",
        Tree::Map(_) => "a map",
    }
}

pub(super) fn scalar_kind(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Text => "a string",
        Scalar::Bool => "a boolean",
        Scalar::Int32 => "a 32-bit integer",
        Scalar::Int64 => "an integer",
        Scalar::Bytes => "bytes",
        Scalar::Items => "a list of strings",
        Scalar::Time | Scalar::MicroTime => "a time",
        Scalar::Quantity => "a quantity",
        Scalar::IntOrString => "an integer or a string",
        Scalar::Fields | Scalar::Raw => "embedded JSON",
        Scalar::Message(_) => "a struct",
    }
}
