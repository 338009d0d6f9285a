//! The outermost layer of a stored value: which encoding it has, and which kind it holds.

use super::error::ValueError;
use super::json::{self, Json};
use super::protobuf::{self, Reader, Wire, put_bytes, put_nested};
use super::tree::Tree;
use crate::schema;
use std::collections::BTreeMap;

/// What kube-apiserver puts before protobuf (apimachinery, pkg/runtime/serializer/protobuf).
const PROTOBUF_PREFIX: &[u8] = b"k8s\0";
/// What it puts before encrypted values (apiserver, pkg/storage/value/encrypt).
const CIPHERTEXT_PREFIX: &[u8] = b"k8s:enc:";

/// How a value is encoded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Encoding {
    /// `k8s\0`, then the message runtime.Unknown: kube-apiserver's default for its own kinds.
    Protobuf,
    /// A JSON object: custom resources, and what `--storage-media-type=application/json` writes.
    Json,
    /// Encrypted at rest, bound to its key: never merged.
    Ciphertext,
    /// Anything else, CBOR included.
    Other,
}

/// A decoded value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decoded {
    /// How the value was encoded; encode a changed value in the same way.
    pub encoding: Encoding,
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// The rest of the object, in the normal form that [`Tree`] promises; without apiVersion and kind.
    pub tree: Tree,
}

impl Encoding {
    /// The encoding of a stored value, from its first bytes. Cost: O(1).
    pub fn sniff(value: &[u8]) -> Encoding {
        if value.starts_with(PROTOBUF_PREFIX) {
            Encoding::Protobuf
        } else if value.starts_with(CIPHERTEXT_PREFIX) {
            Encoding::Ciphertext
        } else if value.first() == Some(&b'{') {
            Encoding::Json
        } else {
            Encoding::Other
        }
    }
}

/// Decodes a stored value.
///
/// The same object gives the same tree from both encodings. A JSON object of a kind that the table does not know is
/// decoded without a schema: nulls and empty values stay.
///
/// # Errors
/// [`ValueError::Opaque`] for ciphertext and foreign values, [`ValueError::UnknownKind`] for protobuf that the table cannot read,
/// the others for damaged values. Never panics.
pub fn decode(value: &[u8]) -> Result<Decoded, ValueError> {
    match Encoding::sniff(value) {
        Encoding::Protobuf => decode_protobuf(value.get(PROTOBUF_PREFIX.len()..).unwrap_or_default()),
        Encoding::Json => decode_json(value),
        opaque => Err(ValueError::Opaque(opaque)),
    }
}

/// Encodes an object as kube-apiserver does: byte for byte, but for the order inside embedded JSON.
///
/// What the encoding cannot hold is left out: fields with JSON names that the table does not know in protobuf, fields known by
/// number only in JSON.
///
/// # Errors
/// [`ValueError::Opaque`] for other encodings, [`ValueError::UnknownKind`] for protobuf of kinds outside the table,
/// [`ValueError::Mismatch`] for a tree that does not fit the kind.
pub fn encode(value: &Decoded) -> Result<Vec<u8>, ValueError> {
    let Decoded { encoding, api_version, kind, tree } = value;
    let Tree::Map(fields) = tree else {
        return Err(ValueError::malformed(kind, "an object is no map"));
    };
    let of = schema::message(api_version, kind);
    let mut out = Vec::new();
    match (*encoding, of) {
        (Encoding::Protobuf, Some(of)) => {
            out.extend_from_slice(PROTOBUF_PREFIX);
            put_nested(&mut out, 1, |out| {
                put_bytes(out, 1, api_version.as_bytes());
                put_bytes(out, 2, kind.as_bytes());
                Ok(())
            })?;
            put_nested(&mut out, 2, |out| protobuf::encode(out, of, fields))?;
            // contentEncoding and contentType, which Go writes although they are empty.
            put_bytes(&mut out, 3, &[]);
            put_bytes(&mut out, 4, &[]);
        }
        (Encoding::Json, Some(of)) => {
            json::encode(&mut out, of, [("kind", kind.as_str()), ("apiVersion", api_version.as_str())], fields)?;
            out.push(b'\n');
        }
        (Encoding::Json, None) => {
            let mut whole = fields.clone();
            whole.insert("apiVersion".into(), Tree::text(api_version));
            whole.insert("kind".into(), Tree::text(kind));
            json::encode_unknown(&mut out, kind, &Tree::Map(whole))?;
            out.push(b'\n');
        }
        (Encoding::Protobuf, None) => return Err(unknown_kind(api_version, kind)),
        (opaque, _) => return Err(ValueError::Opaque(opaque)),
    }
    Ok(out)
}

fn unknown_kind(api_version: &str, kind: &str) -> ValueError {
    ValueError::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() }
}

fn decode_protobuf(envelope: &[u8]) -> Result<Decoded, ValueError> {
    let bad = |problem| ValueError::malformed("envelope", problem);
    let (mut type_meta, mut raw): (&[u8], &[u8]) = (&[], &[]);
    let mut reader = Reader::new(envelope);
    while !reader.is_empty() {
        match reader.tag()? {
            (1, Wire::Bytes) => type_meta = reader.bytes()?,
            (2, Wire::Bytes) => raw = reader.bytes()?,
            // A compressed or foreign content would need another decoder.
            (3 | 4, Wire::Bytes) if !reader.bytes()?.is_empty() => {
                return Err(bad("the content is encoded once more"));
            }
            (3 | 4, Wire::Bytes) => {}
            (1..=4, _) => return Err(bad("a field has the wrong wire type")),
            (number, wire) => reader.skip(number, wire)?,
        }
    }
    let (mut api_version, mut kind) = (String::new(), String::new());
    let mut reader = Reader::new(type_meta);
    while !reader.is_empty() {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| bad("a name is not UTF-8"));
        match reader.tag()? {
            (1, Wire::Bytes) => api_version = text(reader.bytes()?)?,
            (2, Wire::Bytes) => kind = text(reader.bytes()?)?,
            (number, wire) => reader.skip(number, wire)?,
        }
    }
    let of = schema::message(&api_version, &kind).ok_or_else(|| unknown_kind(&api_version, &kind))?;
    let mut fields = BTreeMap::new();
    protobuf::decode(raw, of, &mut fields)?;
    Ok(Decoded { encoding: Encoding::Protobuf, api_version, kind, tree: Tree::Map(fields) })
}

fn decode_json(value: &[u8]) -> Result<Decoded, ValueError> {
    let Json::Object(mut object) = json::parse(value)? else {
        return Err(ValueError::malformed("JSON", "an object is no map"));
    };
    let mut take = |name: &str| {
        let mut found = String::new();
        object.retain_mut(|(key, value)| match value {
            Json::Text(text) if key == name => {
                found = std::mem::take(text);
                false
            }
            _ => true,
        });
        found
    };
    let (api_version, kind) = (take("apiVersion"), take("kind"));
    if api_version.is_empty() || kind.is_empty() {
        return Err(ValueError::malformed("JSON", "apiVersion or kind is missing"));
    }
    let tree = match schema::message(&api_version, &kind) {
        Some(of) => Tree::Map(json::decode(object, of)?),
        None => json::decode_unknown(Json::Object(object)),
    };
    Ok(Decoded { encoding: Encoding::Json, api_version, kind, tree })
}
