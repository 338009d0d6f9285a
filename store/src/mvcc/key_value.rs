//! The wire form of `mvccpb.KeyValue` (etcd: api/mvccpb/kv.proto): encoded once when a version is made, then copied by
//! every reader. Zero fields are left out, as proto3 does.

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

const KEY: u64 = 1;
const CREATE_REVISION: u64 = 2;
const MOD_REVISION: u64 = 3;
const VERSION: u64 = 4;
const VALUE: u64 = 5;
const LEASE: u64 = 6;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const LENGTH_DELIMITED: u64 = 2;
const FIXED32: u64 = 5;

/// A version's fields, borrowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct KeyValue<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Main revision at which the key was created.
    pub create_revision: i64,
    /// Main revision at which this version was written.
    pub mod_revision: i64,
    /// Number of puts since the creation, from 1.
    pub version: i64,
    /// The value.
    pub value: &'a [u8],
    /// The lease; 0 = none.
    pub lease: i64,
}

/// The bytes are no `mvccpb.KeyValue`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("bytes are no mvccpb.KeyValue; the log or the index is damaged")]
pub struct KeyValueError;

impl<'a> KeyValue<'a> {
    /// The wire form.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.key.len() + self.value.len() + 64);
        put_bytes(&mut out, KEY, self.key);
        put_number(&mut out, CREATE_REVISION, self.create_revision);
        put_number(&mut out, MOD_REVISION, self.mod_revision);
        put_number(&mut out, VERSION, self.version);
        put_bytes(&mut out, VALUE, self.value);
        put_number(&mut out, LEASE, self.lease);
        // An exact copy: up to 64 spare bytes a version would be kept for as long as the version is.
        Bytes::copy_from_slice(&out)
    }

    /// Reads the wire form; fields may come in any order, unknown ones are skipped.
    ///
    /// # Errors
    /// The bytes are not well formed.
    pub fn decode(mut bytes: &'a [u8]) -> Result<KeyValue<'a>, KeyValueError> {
        let mut kv = KeyValue::default();
        while !bytes.is_empty() {
            let tag = take_varint(&mut bytes)?;
            match (tag >> 3, tag & 7) {
                (KEY, LENGTH_DELIMITED) => kv.key = take_bytes(&mut bytes)?,
                (VALUE, LENGTH_DELIMITED) => kv.value = take_bytes(&mut bytes)?,
                (CREATE_REVISION, VARINT) => kv.create_revision = take_number(&mut bytes)?,
                (MOD_REVISION, VARINT) => kv.mod_revision = take_number(&mut bytes)?,
                (VERSION, VARINT) => kv.version = take_number(&mut bytes)?,
                (LEASE, VARINT) => kv.lease = take_number(&mut bytes)?,
                (_, VARINT) => drop(take_varint(&mut bytes)?),
                (_, LENGTH_DELIMITED) => drop(take_bytes(&mut bytes)?),
                (_, FIXED64) => drop(take(&mut bytes, 8)?),
                (_, FIXED32) => drop(take(&mut bytes, 4)?),
                _ => return Err(KeyValueError),
            }
        }
        Ok(kv)
    }
}

/// The value inside a `KeyValue` whose checksum was right.
///
/// # Panics
/// If the bytes are no `KeyValue`: the store only holds what it encoded or checked.
pub(crate) fn value_in(kv: &[u8]) -> &[u8] {
    KeyValue::decode(kv).expect("invariant: the store holds well-formed versions").value
}

/// What a watcher is given for a delete: key and mod_revision only.
pub fn tombstone(key: &[u8], mod_revision: i64) -> Bytes {
    KeyValue { key, mod_revision, ..KeyValue::default() }.encode()
}

fn put_varint(out: &mut BytesMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn put_number(out: &mut BytesMut, field: u64, number: i64) {
    if number != 0 {
        put_varint(out, field << 3 | VARINT);
        // Protobuf's int64 carries a negative number as its 64-bit two's complement.
        put_varint(out, number as u64);
    }
}

fn put_bytes(out: &mut BytesMut, field: u64, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_varint(out, field << 3 | LENGTH_DELIMITED);
        put_varint(out, bytes.len() as u64);
        out.put_slice(bytes);
    }
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Result<&'a [u8], KeyValueError> {
    let (head, rest) = bytes.split_at_checked(count).ok_or(KeyValueError)?;
    *bytes = rest;
    Ok(head)
}

fn take_varint(bytes: &mut &[u8]) -> Result<u64, KeyValueError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(bytes, 1)?.first().ok_or(KeyValueError)?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(KeyValueError)
}

fn take_number(bytes: &mut &[u8]) -> Result<i64, KeyValueError> {
    take_varint(bytes).map(|number| number as i64)
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], KeyValueError> {
    let length = usize::try_from(take_varint(bytes)?).map_err(|_| KeyValueError)?;
    take(bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn decoding_reverses_encoding(
            key in proptest::collection::vec(any::<u8>(), 0..40),
            value in proptest::collection::vec(any::<u8>(), 0..400),
            create_revision in any::<i64>(),
            mod_revision in any::<i64>(),
            version in any::<i64>(),
            lease in any::<i64>(),
        ) {
            let kv = KeyValue { key: &key, create_revision, mod_revision, version, value: &value, lease };
            let bytes = kv.encode();
            prop_assert_eq!(KeyValue::decode(&bytes), Ok(kv));
            for cut in 0..bytes.len() {
                // A cut never panics, and never invents a longer field.
                if let Ok(short) = KeyValue::decode(&bytes[..cut]) {
                    prop_assert!(short.value.is_empty() || short.value == kv.value);
                }
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = KeyValue::decode(&bytes);
        }
    }

    #[test]
    fn the_wire_form_is_protobufs() {
        let kv = KeyValue { key: b"k", create_revision: 2, mod_revision: 300, version: 1, value: b"v", lease: -1 };
        let expected: &[u8] = &[
            0x0a, 1, b'k', 0x10, 2, 0x18, 0xac, 2, 0x20, 1, 0x2a, 1, b'v', 0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
            0xff, 0xff, 0xff, 1,
        ];
        assert_eq!(kv.encode(), expected);
        assert_eq!(tombstone(b"k", 5), &[0x0a, 1, b'k', 0x18, 5][..]);
        assert_eq!(value_in(&kv.encode()), b"v");
    }
}
