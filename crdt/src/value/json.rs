//! JSON, as Go writes and reads it, driven by the schema table where it knows the kind.

use super::error::ValueError;
use super::json_text::{self, Escape, Json, put_string};
use super::normal::{embedded_json, is_zero, mismatch, scalar_kind, time_tree, tree_kind, zero};
use super::time;
use super::tree::{Field, Tree};
use crate::schema::{Count, FieldDef, Scalar, Type};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use std::collections::BTreeMap;

type Fields = BTreeMap<Field, Tree>;

/// Go's standard encoding: padded, and lenient about the unused bits of the last character.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The names that Go's embedded TypeMeta adds to JSON; the envelope has them for a whole object.
const TYPE_META: [&str; 2] = ["kind", "apiVersion"];

/// The fields of a struct. Names that the schema does not know are kept as they are.
pub(super) fn decode(object: Vec<(String, Json)>, of: &'static Type) -> Result<Fields, ValueError> {
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
pub(super) fn decode_unknown(value: Json) -> Tree {
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

/// Writes an object of a known kind: Go's order of fields, and Go's zeros where a field may not be left out.
pub(super) fn encode(
    out: &mut Vec<u8>,
    of: &'static Type,
    type_meta: [(&str, &str); 2],
    fields: &Fields,
) -> Result<(), ValueError> {
    out.push(b'{');
    let mut object = Object { out, first: true };
    for (name, value) in type_meta {
        object.name(name);
        put_string(object.out, value, Escape::Html);
    }
    object.put_struct(of, fields)?;
    out.push(b'}');
    Ok(())
}

/// Writes what no schema describes. Fields that only protobuf can name are left out.
pub(super) fn encode_unknown(out: &mut Vec<u8>, at: &str, value: &Tree) -> Result<(), ValueError> {
    match value {
        Tree::Null => out.extend_from_slice(b"null"),
        Tree::Bool(value) => put_bool(out, *value),
        Tree::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Tree::Float(bits) if f64::from_bits(*bits).is_finite() => {
            // The form that Rust reads back to the same bits; it always has a point or an exponent.
            out.extend_from_slice(format!("{:?}", f64::from_bits(*bits)).as_bytes());
        }
        Tree::Text(text) => put_string(out, text, Escape::Html),
        Tree::Raw(raw) => json_text::put_canonical(out, &json_text::parse(raw)?, Escape::Html),
        Tree::List(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                encode_unknown(out, at, item)?;
            }
            out.push(b']');
        }
        Tree::Map(fields) => {
            out.push(b'{');
            let mut object = Object { out, first: true };
            object.put_unknown(fields.iter())?;
            out.push(b'}');
        }
        Tree::Bytes(_) | Tree::Float(_) => {
            return Err(ValueError::Mismatch { at: at.to_owned(), found: tree_kind(value), wanted: "JSON" });
        }
    }
    Ok(())
}

struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Object<'_> {
    fn name(&mut self, name: &str) {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        put_string(self.out, name, Escape::Html);
        self.out.push(b':');
    }

    fn put_unknown<'t>(&mut self, fields: impl Iterator<Item = (&'t Field, &'t Tree)>) -> Result<(), ValueError> {
        for (name, value) in fields {
            if !(name.starts_with('#') && matches!(value, Tree::Bytes(_))) {
                self.name(name);
                encode_unknown(self.out, name, value)?;
            }
        }
        Ok(())
    }

    fn put_struct(&mut self, of: &'static Type, fields: &Fields) -> Result<(), ValueError> {
        self.put_known(of, fields)?;
        let type_meta = |name: &str| of.has_type_meta && TYPE_META.contains(&name);
        self.put_unknown(fields.iter().filter(|(name, _)| of.field(name).is_none() && !type_meta(name)))
    }

    fn put_known(&mut self, of: &'static Type, fields: &Fields) -> Result<(), ValueError> {
        for field in &of.fields {
            match (field.scalar, fields.get(&field.key)) {
                (Scalar::Message(inner), _) if field.inline => self.put_known(inner, fields)?,
                (_, Some(value)) => {
                    self.name(field.name);
                    put_field(self.out, field, value)?;
                }
                _ if left_out(field) => {}
                _ => {
                    self.name(field.name);
                    put_absent(self.out, field)?;
                }
            }
        }
        Ok(())
    }
}

/// Whether Go leaves an absent field out: omitempty has no effect on a struct that is no pointer.
fn left_out(field: &FieldDef) -> bool {
    let a_struct = !matches!(
        field.scalar,
        Scalar::Text | Scalar::Bool | Scalar::Int32 | Scalar::Int64 | Scalar::Bytes | Scalar::Items
    );
    field.omit_zero || field.omit_empty && (field.pointer || field.count != Count::One || !a_struct)
}

/// What Go writes for an absent field that it does not leave out.
fn put_absent(out: &mut Vec<u8>, field: &FieldDef) -> Result<(), ValueError> {
    let null = field.pointer || field.count != Count::One || matches!(field.scalar, Scalar::Bytes | Scalar::Items);
    match zero(field.scalar).filter(|_| !null) {
        Some(zero) => put_value(out, field, &zero),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

fn put_field(out: &mut Vec<u8>, field: &FieldDef, value: &Tree) -> Result<(), ValueError> {
    match (field.count, value) {
        (Count::One, value) => put_value(out, field, value)?,
        (Count::List, Tree::List(items)) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                put_value(out, field, item)?;
            }
            out.push(b']');
        }
        (Count::Map, Tree::Map(entries)) => {
            out.push(b'{');
            let mut object = Object { out, first: true };
            for (key, value) in entries {
                object.name(key);
                put_value(object.out, field, value)?;
            }
            out.push(b'}');
        }
        (count, value) => {
            let wanted = if count == Count::List { "a list" } else { "a map" };
            return Err(ValueError::Mismatch { at: field.name.to_owned(), found: tree_kind(value), wanted });
        }
    }
    Ok(())
}

fn put_value(out: &mut Vec<u8>, field: &FieldDef, value: &Tree) -> Result<(), ValueError> {
    match (field.scalar, value) {
        (Scalar::Text | Scalar::Quantity | Scalar::IntOrString, Tree::Text(text)) => {
            put_string(out, text, Escape::Html)
        }
        (Scalar::Time | Scalar::MicroTime, Tree::Text(text)) if time::parse(text).is_some() => {
            put_string(out, text, Escape::Html)
        }
        (Scalar::Bool, Tree::Bool(value)) => put_bool(out, *value),
        (Scalar::Time | Scalar::MicroTime | Scalar::Fields | Scalar::Raw, Tree::Null) => out.extend_from_slice(b"null"),
        (Scalar::Int32 | Scalar::IntOrString, Tree::Int(value)) if i32::try_from(*value).is_ok() => {
            out.extend_from_slice(value.to_string().as_bytes());
        }
        (Scalar::Int64, Tree::Int(value)) => out.extend_from_slice(value.to_string().as_bytes()),
        (Scalar::Bytes, Tree::Bytes(bytes)) => put_string(out, &BASE64.encode(bytes), Escape::Html),
        (Scalar::Fields | Scalar::Raw, Tree::Raw(raw)) => {
            json_text::put_canonical(out, &json_text::parse(raw)?, Escape::Html)
        }
        (Scalar::Message(of), Tree::Map(fields)) => {
            out.push(b'{');
            Object { out, first: true }.put_struct(of, fields)?;
            out.push(b'}');
        }
        (Scalar::Items, Tree::List(items)) if items.iter().all(|item| item.as_str().is_some()) => {
            encode_unknown(out, field.name, value)?;
        }
        (scalar, value) => return Err(mismatch(field.name, value, scalar)),
    }
    Ok(())
}

fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}
