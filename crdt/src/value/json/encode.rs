//! The fields of a tree to JSON.

use super::text::{self, Escape, put_string};
use super::{BASE64, Fields, TYPE_META};
use crate::schema::{Count, FieldDef, Scalar, Type};
use crate::value::error::ValueError;
use crate::value::normal::{mismatch, tree_kind, zero};
use crate::value::time;
use crate::value::tree::{Field, Tree};
use base64::Engine;

/// Writes an object of a known kind: Go's order of fields, and Go's zeros where a field may not be left out.
pub(in crate::value) fn encode(
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
pub(in crate::value) fn encode_unknown(out: &mut Vec<u8>, at: &str, value: &Tree) -> Result<(), ValueError> {
    match value {
        Tree::Null => out.extend_from_slice(b"null"),
        Tree::Bool(value) => put_bool(out, *value),
        Tree::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
        Tree::Float(bits) if f64::from_bits(*bits).is_finite() => {
            // The form that Rust reads back to the same bits; it always has a point or an exponent.
            out.extend_from_slice(format!("{:?}", f64::from_bits(*bits)).as_bytes());
        }
        Tree::Text(text) => put_string(out, text, Escape::Html),
        Tree::Raw(raw) => text::put_canonical(out, &text::parse(raw)?, Escape::Html),
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
        (Scalar::Fields | Scalar::Raw, Tree::Raw(raw)) => text::put_canonical(out, &text::parse(raw)?, Escape::Html),
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
