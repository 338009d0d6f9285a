//! Protobuf, as Kubernetes' generated Go code writes and reads it, driven by the schema table.
//!
//! A field that the table does not know is kept as `#N`, or `#M.N` when it sits in the inlined struct that is field M.

use super::error::ValueError;
use super::normal::{embedded, is_zero, mismatch, time_tree, tree_kind, zero};
use super::time;
use super::tree::{Field, Tree};
use super::wire::{Reader, Wire, put_bytes, put_nested, put_number, put_tag, put_varint};
use crate::schema::{Count, FieldDef, Scalar, Type};
use bytes::Bytes;
use std::collections::BTreeMap;

type Fields = BTreeMap<Field, Tree>;

/// Reads one message into `fields`. A second occurrence of a struct is merged into the first, as in Go.
pub(super) fn decode(bytes: &[u8], of: &'static Type, fields: &mut Fields) -> Result<(), ValueError> {
    decode_within(bytes, of, fields, "#")
}

fn decode_within(bytes: &[u8], of: &'static Type, fields: &mut Fields, prefix: &str) -> Result<(), ValueError> {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let before = reader;
        let (number, wire) = reader.tag()?;
        let known = of.by_number.iter().filter_map(|&position| of.fields.get(position));
        match known.into_iter().find(|field| field.number == number) {
            Some(field) => decode_field(&mut reader, wire, field, fields, prefix)?,
            None => {
                reader.skip(number, wire)?;
                let name: Field = format!("{prefix}{number}").into();
                let raw = before.until(&reader);
                let kept = match fields.get(&name) {
                    Some(Tree::Bytes(first)) => [first, raw].concat().into(),
                    _ => Bytes::copy_from_slice(raw),
                };
                fields.insert(name, Tree::Bytes(kept));
            }
        }
    }
    Ok(())
}

fn decode_field(
    reader: &mut Reader<'_>,
    wire: Wire,
    field: &FieldDef,
    fields: &mut Fields,
    prefix: &str,
) -> Result<(), ValueError> {
    match (field.count, field.scalar) {
        (Count::One, Scalar::Message(of)) if field.inline => {
            return decode_within(content(reader, wire, field)?, of, fields, &format!("{prefix}{}.", field.number));
        }
        (Count::One, Scalar::Message(of)) => {
            let mut inner = match fields.remove(&field.key) {
                Some(Tree::Map(inner)) => inner,
                _ => BTreeMap::new(),
            };
            decode(content(reader, wire, field)?, of, &mut inner)?;
            if field.pointer || !inner.is_empty() {
                fields.insert(field.key.clone(), Tree::Map(inner));
            }
        }
        (Count::One, scalar) => {
            let value = decode_value(reader, wire, field)?;
            match value.filter(|value| field.pointer || !is_zero(scalar, value)) {
                Some(value) => fields.insert(field.key.clone(), value),
                None => fields.remove(&field.key),
            };
        }
        (Count::List, Scalar::Bool | Scalar::Int32 | Scalar::Int64) if wire == Wire::Bytes => {
            let mut packed = Reader::new(reader.bytes()?);
            while !packed.is_empty() {
                let value = decode_value(&mut packed, Wire::Varint, field)?;
                push(fields, field, value);
            }
        }
        (Count::List, _) => {
            let value = decode_value(reader, wire, field)?;
            push(fields, field, value);
        }
        (Count::Map, _) => {
            let (key, value) = decode_map_entry(content(reader, wire, field)?, field)?;
            let entries = fields.entry(field.key.clone()).or_insert_with(Tree::map);
            if let Tree::Map(entries) = entries {
                entries.insert(key, value.unwrap_or(Tree::Null));
            }
        }
    }
    Ok(())
}

fn push(fields: &mut Fields, field: &FieldDef, value: Option<Tree>) {
    let list = fields.entry(field.key.clone()).or_insert_with(|| Tree::List(Vec::new()));
    if let Tree::List(items) = list {
        items.push(value.unwrap_or(Tree::Null));
    }
}

fn wrong_wire(field: &FieldDef) -> ValueError {
    ValueError::malformed(field.name, "a field has the wrong wire type")
}

fn content<'a>(reader: &mut Reader<'a>, wire: Wire, field: &FieldDef) -> Result<&'a [u8], ValueError> {
    if wire == Wire::Bytes { reader.bytes() } else { Err(wrong_wire(field)) }
}

fn decode_map_entry(bytes: &[u8], field: &FieldDef) -> Result<(Field, Option<Tree>), ValueError> {
    let (mut key, mut value) = (Field::from(""), zero(field.scalar));
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.tag()? {
            (1, wire) => key = text(content(&mut reader, wire, field)?, field)?.into(),
            (2, wire) => value = decode_value(&mut reader, wire, field)?,
            (other, wire) => reader.skip(other, wire)?,
        }
    }
    Ok((key, value))
}

fn text<'a>(bytes: &'a [u8], field: &FieldDef) -> Result<&'a str, ValueError> {
    std::str::from_utf8(bytes).map_err(|_| ValueError::malformed(field.name, "a string is not UTF-8"))
}

/// One value; none for a zero time and for empty embedded content, which are the same as absence (in a list or a map: null).
fn decode_value(reader: &mut Reader<'_>, wire: Wire, field: &FieldDef) -> Result<Option<Tree>, ValueError> {
    if let Scalar::Bool | Scalar::Int32 | Scalar::Int64 = field.scalar {
        if wire != Wire::Varint {
            return Err(wrong_wire(field));
        }
        let value = reader.varint()?;
        return Ok(Some(match field.scalar {
            Scalar::Bool => Tree::Bool(value != 0),
            // Go keeps the low 32 bits.
            Scalar::Int32 => Tree::Int(i64::from(value as i32)),
            _ => Tree::Int(value as i64),
        }));
    }
    let bytes = content(reader, wire, field)?;
    Ok(match field.scalar {
        Scalar::Text => Some(Tree::text(text(bytes, field)?)),
        Scalar::Bytes => Some(Tree::Bytes(Bytes::copy_from_slice(bytes))),
        Scalar::Message(of) => {
            let mut inner = BTreeMap::new();
            decode(bytes, of, &mut inner)?;
            Some(Tree::Map(inner))
        }
        Scalar::Time | Scalar::MicroTime if bytes.is_empty() => None,
        Scalar::Time | Scalar::MicroTime => {
            let [seconds, nanos] = numbers(bytes, field)?;
            let micros = u32::try_from(nanos as i32 / 1000).unwrap_or(0);
            time_tree(field.scalar, seconds as i64, micros, field.name)?
        }
        Scalar::Quantity => Some(match last_bytes(bytes, 1, field)? {
            Some(quantity) => Tree::text(text(quantity, field)?),
            None => Tree::text(super::normal::QUANTITY_ZERO),
        }),
        Scalar::IntOrString => {
            let [kind, number] = numbers(bytes, field)?;
            Some(match kind {
                0 => Tree::Int(i64::from(number as i32)),
                _ => Tree::text(text(last_bytes(bytes, 3, field)?.unwrap_or_default(), field)?),
            })
        }
        Scalar::Fields | Scalar::Raw => embedded(last_bytes(bytes, 1, field)?.unwrap_or_default()),
        Scalar::Items => Some(Tree::List(items(bytes, field)?)),
        Scalar::Bool | Scalar::Int32 | Scalar::Int64 => None,
    })
}

/// Fields 1 and 2 of a small message of numbers.
fn numbers(bytes: &[u8], field: &FieldDef) -> Result<[u64; 2], ValueError> {
    let mut values = [0; 2];
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let (number, wire) = reader.tag()?;
        let slot = (number as usize).checked_sub(1).and_then(|position| values.get_mut(position));
        match slot {
            Some(slot) if wire == Wire::Varint => *slot = reader.varint()?,
            Some(_) => return Err(wrong_wire(field)),
            None => reader.skip(number, wire)?,
        }
    }
    Ok(values)
}

/// The last occurrence of a field of bytes in a small message.
fn last_bytes<'a>(bytes: &'a [u8], wanted: u32, field: &FieldDef) -> Result<Option<&'a [u8]>, ValueError> {
    let mut found = None;
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.tag()? {
            (number, wire) if number == wanted => found = Some(content(&mut reader, wire, field)?),
            (number, wire) => reader.skip(number, wire)?,
        }
    }
    Ok(found)
}

fn items(bytes: &[u8], field: &FieldDef) -> Result<Vec<Tree>, ValueError> {
    let mut items = Vec::new();
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.tag()? {
            (1, wire) => items.push(Tree::text(text(content(&mut reader, wire, field)?, field)?)),
            (number, wire) => reader.skip(number, wire)?,
        }
    }
    Ok(items)
}

/// Writes the fields of a message by ascending number, byte for byte as Go does: what has no explicit presence is written
/// even when it is zero.
pub(super) fn encode(out: &mut Vec<u8>, of: &'static Type, fields: &Fields) -> Result<(), ValueError> {
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
