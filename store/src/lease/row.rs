//! A lease's row: its id, and the TTL it was granted.

use bytes::Bytes;

/// Row key: the id, big endian, so that rows come in order of the id's bits.
pub(crate) fn row_key(id: i64) -> [u8; 8] {
    id.to_be_bytes()
}

/// The id of a row's key.
pub(crate) fn row_id(key: &[u8]) -> Option<i64> {
    key.try_into().ok().map(i64::from_be_bytes)
}

/// Row value: the granted TTL in seconds.
pub(crate) fn row_value(granted_s: i64) -> Bytes {
    Bytes::copy_from_slice(&granted_s.to_be_bytes())
}

/// The TTL of a row's value.
pub(crate) fn granted_s(value: &[u8]) -> Option<i64> {
    value.try_into().ok().map(i64::from_be_bytes)
}
