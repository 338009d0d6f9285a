//! Bytes of a message to the fields of a tree.

use super::Fields;
use super::wire::{Reader, Wire};
use crate::schema::{Count, FieldDef, Scalar, Type};
use crate::value::error::ValueError;
use crate::value::normal::{QUANTITY_ZERO, embedded, is_zero, time_tree, zero};
use crate::value::tree::{Field, Tree};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Reads one message into `fields`. A second occurrence of a struct is merged into the first, as in Go.
pub(in crate::value) fn decode(bytes: &[u8], of: &'static Type, fields: &mut Fields) -> Result<(), ValueError> {
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
            None => Tree::text(QUANTITY_ZERO),
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
