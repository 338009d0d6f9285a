//! Parsed JSON to the fields of a tree.

use super::text::Json;
use super::{BASE64, Fields, TYPE_META};
use crate::schema::{Count, FieldDef, Scalar, Type};
use crate::value::error::ValueError;
use crate::value::normal::{embedded_json, is_zero, scalar_kind, time_tree, zero};
use crate::value::time;
use crate::value::tree::Tree;
use base64::Engine;
use bytes::Bytes;
use std::collections::BTreeMap;

/// The fields of a struct. Names that the schema does not know are kept as they are.
pub(in crate::value) fn decode(object: Vec<(String, Json)>, of: &'static Type) -> Result<Fields, ValueError> {
    let mut fields = BTreeMap::new();
    for (name, value) in object {
        if of.has_type_meta && TYPE_META.contains(&name.as_str()) {
            continue;
        }
        match of.field(&name) {
            Some(field) => match decode_field(value, field)? {
                Some(value) => fields.insert(field.key.clone(), value),
                None => fields.remove(&field.key),
            },
            None => fields.insert(name.into(), decode_unknown(value)),
        };
    }
    Ok(fields)
}

/// What no schema describes. Fractions keep their value, integers beyond 64 bits their digits.
pub(in crate::value) fn decode_unknown(value: Json) -> Tree {
    match value {
        Json::Null => Tree::Null,
        Json::Bool(value) => Tree::Bool(value),
        Json::Text(text) => Tree::Text(text.into()),
        Json::List(items) => Tree::List(items.into_iter().map(decode_unknown).collect()),
        Json::Object(fields) => {
            Tree::Map(fields.into_iter().map(|(name, value)| (name.into(), decode_unknown(value))).collect())
        }
        Json::Number(token) => match (token.parse::<i64>(), token.parse::<f64>()) {
            (Ok(integer), _) => Tree::Int(integer),
            (_, Ok(float)) if float.is_finite() && token.contains(['.', 'e', 'E']) => Tree::Float(float.to_bits()),
            _ => Tree::Raw(Bytes::from(token)),
        },
    }
}

fn decode_field(value: Json, field: &FieldDef) -> Result<Option<Tree>, ValueError> {
    let tree = match (field.count, value) {
        (_, Json::Null) => return Ok(None),
        (Count::One, value) => {
            let tree = decode_value(value, field)?;
            return Ok(tree.filter(|tree| field.pointer || !is_zero(field.scalar, tree)));
        }
        (Count::List, Json::List(items)) => {
            let items: Result<Vec<_>, _> = items.into_iter().map(|item| decode_value(item, field)).collect();
            Tree::List(items?.into_iter().map(|item| item.unwrap_or(Tree::Null)).collect())
        }
        (Count::Map, Json::Object(entries)) => {
            let mut map = BTreeMap::new();
            for (key, value) in entries {
                map.insert(key.into(), decode_value(value, field)?.unwrap_or(Tree::Null));
            }
            Tree::Map(map)
        }
        (Count::List, other) => return Err(wrong_json(field, &other, "a list")),
        (Count::Map, other) => return Err(wrong_json(field, &other, "an object")),
    };
    Ok(Some(tree).filter(|tree| !is_zero(Scalar::Bytes, tree)))
}

fn wrong_json(field: &FieldDef, found: &Json, wanted: &'static str) -> ValueError {
    ValueError::Mismatch { at: field.name.to_owned(), found: found.kind(), wanted }
}

/// One value; none for a zero time and for embedded null (in a list or a map: null).
fn decode_value(value: Json, field: &FieldDef) -> Result<Option<Tree>, ValueError> {
    Ok(Some(match (field.scalar, value) {
        (scalar, Json::Null) => return Ok(zero(scalar)),
        (Scalar::Text, Json::Text(text)) => Tree::Text(text.into()),
        (Scalar::Bool, Json::Bool(value)) => Tree::Bool(value),
        (Scalar::Int32 | Scalar::IntOrString, Json::Number(token)) => match token.parse::<i32>() {
            Ok(value) => Tree::Int(i64::from(value)),
            Err(_) => return Err(ValueError::malformed(field.name, "a number is no 32-bit integer")),
        },
        (Scalar::Int64, Json::Number(token)) => match token.parse::<i64>() {
            Ok(value) => Tree::Int(value),
            Err(_) => return Err(ValueError::malformed(field.name, "a number is no 64-bit integer")),
        },
        (Scalar::Bytes, Json::Text(text)) => match BASE64.decode(text.as_bytes()) {
            Ok(bytes) => Tree::Bytes(bytes.into()),
            Err(_) => return Err(ValueError::malformed(field.name, "a string is not base64")),
        },
        (Scalar::Time | Scalar::MicroTime, Json::Text(text)) => {
            let (seconds, micros) =
                time::parse(&text).ok_or_else(|| ValueError::malformed(field.name, "a string is no RFC 3339 time"))?;
            return time_tree(field.scalar, seconds, micros, field.name);
        }
        (Scalar::Quantity | Scalar::IntOrString, Json::Text(text)) => Tree::Text(text.into()),
        (Scalar::Quantity, Json::Number(token)) => Tree::Text(token.into()),
        (Scalar::Fields | Scalar::Raw, value) => return Ok(embedded_json(&value)),
        (Scalar::Message(of), Json::Object(object)) => Tree::Map(decode(object, of)?),
        (Scalar::Items, Json::List(items)) => {
            let texts = items.into_iter().map(|item| match item {
                Json::Text(text) => Ok(Tree::Text(text.into())),
                other => Err(wrong_json(field, &other, "a string")),
            });
            Tree::List(texts.collect::<Result<_, _>>()?)
        }
        (scalar, other) => return Err(wrong_json(field, &other, scalar_kind(scalar))),
    }))
}
