//! The fields of a tree to the bytes of a message.

use super::Fields;
use super::wire::{Reader, Wire, put_bytes, put_nested, put_number, put_tag, put_varint};
use crate::schema::{Count, FieldDef, Scalar, Type};
use crate::value::error::ValueError;
use crate::value::normal::{mismatch, tree_kind, zero};
use crate::value::time;
use crate::value::tree::Tree;
use std::collections::BTreeMap;

/// Writes the fields of a message by ascending number, byte for byte as Go does: what has no explicit presence is written
/// even when it is zero.
pub(in crate::value) fn encode(out: &mut Vec<u8>, of: &'static Type, fields: &Fields) -> Result<(), ValueError> {
    encode_within(out, of, fields, "#")
}

fn encode_within(out: &mut Vec<u8>, of: &'static Type, fields: &Fields, prefix: &str) -> Result<(), ValueError> {
    let mut unknown = unknown_fields(fields, prefix).into_iter().peekable();
    for field in of.by_number.iter().filter_map(|&position| of.fields.get(position)) {
        while let Some((_, raw)) = unknown.next_if(|(number, _)| *number < field.number) {
            out.extend_from_slice(raw);
        }
        match field.scalar {
            Scalar::Message(inner) if field.inline => {
                let prefix = format!("{prefix}{}.", field.number);
                put_nested(out, field.number, |out| encode_within(out, inner, fields, &prefix))?;
            }
            _ => encode_field(out, field, fields.get(&field.key))?,
        }
    }
    unknown.for_each(|(_, raw)| out.extend_from_slice(raw));
    Ok(())
}

/// The kept fields of this message, by number. What does not read as exactly that field came from no apiserver: it is left
/// out.
fn unknown_fields<'a>(fields: &'a Fields, prefix: &str) -> BTreeMap<u32, &'a [u8]> {
    let from = fields.range::<str, _>((std::ops::Bound::Included(prefix), std::ops::Bound::Unbounded));
    from.take_while(|(name, _)| name.starts_with(prefix))
        .filter_map(|(name, value)| {
            let number: u32 = name.strip_prefix(prefix)?.parse().ok()?;
            let Tree::Bytes(raw) = value else { return None };
            consists_of(raw, number).then_some((number, raw.as_ref()))
        })
        .collect()
}

fn consists_of(raw: &[u8], wanted: u32) -> bool {
    let mut reader = Reader::new(raw);
    while !reader.is_empty() {
        match reader.tag() {
            Ok((number, wire)) if number == wanted && reader.skip(number, wire).is_ok() => {}
            _ => return false,
        }
    }
    true
}

fn encode_field(out: &mut Vec<u8>, field: &FieldDef, value: Option<&Tree>) -> Result<(), ValueError> {
    match (field.count, value) {
        (Count::One, Some(value)) => encode_value(out, field.number, field, value),
        // Go writes nothing for absent bytes and embedded content, and an empty message for a zero time.
        (Count::One, None) if field.pointer || matches!(field.scalar, Scalar::Bytes) => Ok(()),
        (Count::One, None) => match zero(field.scalar) {
            Some(zero) => encode_value(out, field.number, field, &zero),
            None => {
                put_bytes(out, field.number, &[]);
                Ok(())
            }
        },
        (_, None) => Ok(()),
        (Count::List, Some(Tree::List(items))) => {
            items.iter().try_for_each(|item| encode_value(out, field.number, field, item))
        }
        (Count::Map, Some(Tree::Map(entries))) => entries.iter().try_for_each(|(key, value)| {
            put_nested(out, field.number, |out| {
                put_bytes(out, 1, key.as_bytes());
                encode_value(out, 2, field, value)
            })
        }),
        (count, Some(value)) => Err(ValueError::Mismatch {
            at: field.name.to_owned(),
            found: tree_kind(value),
            wanted: if count == Count::List { "a list" } else { "a map" },
        }),
    }
}

fn encode_value(out: &mut Vec<u8>, number: u32, field: &FieldDef, value: &Tree) -> Result<(), ValueError> {
    let wrong = || mismatch(field.name, value, field.scalar);
    match (field.scalar, value) {
        (Scalar::Text, Tree::Text(text)) => put_bytes(out, number, text.as_bytes()),
        (Scalar::Bool, Tree::Bool(value)) => put_number(out, number, i64::from(*value)),
        (Scalar::Int32, Tree::Int(value)) if i32::try_from(*value).is_ok() => put_number(out, number, *value),
        (Scalar::Int64, Tree::Int(value)) => put_number(out, number, *value),
        (Scalar::Bytes, Tree::Bytes(bytes)) => put_bytes(out, number, bytes),
        (Scalar::Message(of), Tree::Map(fields)) => put_nested(out, number, |out| encode(out, of, fields))?,
        (Scalar::Time | Scalar::MicroTime, Tree::Text(text)) => {
            let (seconds, micros) = time::parse(text).ok_or_else(wrong)?;
            let micros = if matches!(field.scalar, Scalar::Time) { 0 } else { micros };
            put_nested(out, number, |out| {
                put_number(out, 1, seconds);
                put_number(out, 2, i64::from(micros) * 1000);
                Ok(())
            })?;
        }
        (Scalar::Time | Scalar::MicroTime | Scalar::Fields | Scalar::Raw, Tree::Null) => put_bytes(out, number, &[]),
        (Scalar::Quantity, Tree::Text(text)) => put_wrapped(out, number, text.as_bytes())?,
        (Scalar::IntOrString, Tree::Int(_) | Tree::Text(_)) => {
            let (kind, integer, text) = match value {
                Tree::Int(integer) => (0, i32::try_from(*integer).map_err(|_| wrong())?, ""),
                other => (1, 0, other.as_str().unwrap_or_default()),
            };
            put_nested(out, number, |out| {
                put_number(out, 1, kind);
                put_number(out, 2, i64::from(integer));
                put_bytes(out, 3, text.as_bytes());
                Ok(())
            })?;
        }
        (Scalar::Fields | Scalar::Raw, Tree::Raw(bytes) | Tree::Bytes(bytes)) => put_wrapped(out, number, bytes)?,
        (Scalar::Items, Tree::List(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Tree::as_str).collect();
            let texts = texts.ok_or_else(wrong)?;
            put_tag(out, number, Wire::Bytes);
            let mut body = Vec::new();
            texts.iter().for_each(|text| put_bytes(&mut body, 1, text.as_bytes()));
            put_varint(out, body.len() as u64);
            out.extend_from_slice(&body);
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

/// A message whose only field, number 1, is these bytes.
fn put_wrapped(out: &mut Vec<u8>, number: u32, bytes: &[u8]) -> Result<(), ValueError> {
    put_nested(out, number, |out| {
        put_bytes(out, 1, bytes);
        Ok(())
    })
}
