//! How shares lie in the tables. Every row of a share begins with its 16-byte id.
//!
//! | table | key after the id | value |
//! |---|---|---|
//! | Share | `s` | the share, as JSON |
//! | Share | `c` | clock and version vector: hlc (8), then actor (16) and count (8) for every actor |
//! | Object | group, 0, resource, 0, name | the object's CRDT state |
//! | Entry | count (8) | one own entry that the peer has not acknowledged |
//! | Conflict | number (8) | time in Unix ms (8), then the conflict |
//!
//! Integers are big endian.

use archipel_crdt::clock::Hlc;
use archipel_crdt::dot::ActorId;
use archipel_crdt::key::ObjectKey;
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;

const SHARE: &[u8] = b"s";
const CLOCK: &[u8] = b"c";

fn of_share(share: u128, rest: &[u8]) -> Bytes {
    [&share.to_be_bytes(), rest].concat().into()
}

/// Prefix of all rows of a share in any table.
pub(super) fn prefix(share: u128) -> Bytes {
    of_share(share, b"")
}

/// Splits a row key into the share's id and the rest.
pub(crate) fn split(key: &[u8]) -> Option<(u128, &[u8])> {
    let (id, rest) = key.split_first_chunk::<16>()?;
    Some((u128::from_be_bytes(*id), rest))
}

/// Key of a share's description.
pub(super) fn share(share: u128) -> Bytes {
    of_share(share, SHARE)
}

/// True for the rest of a description's key.
pub(super) fn is_share(rest: &[u8]) -> bool {
    rest == SHARE
}

/// Key of a share's clock and version vector.
pub(super) fn clock(share: u128) -> Bytes {
    of_share(share, CLOCK)
}

/// True for the rest of a clock's key.
pub(crate) fn is_clock(rest: &[u8]) -> bool {
    rest == CLOCK
}

/// Key of an object's state.
pub(super) fn object(share: u128, key: &ObjectKey) -> Bytes {
    of_share(share, format!("{}\0{}\0{}", key.group, key.resource, key.name).as_bytes())
}

/// Reads the rest of an object's key.
pub(super) fn parse_object(rest: &[u8]) -> Option<ObjectKey> {
    let text = std::str::from_utf8(rest).ok()?;
    let (group, text) = text.split_once('\0')?;
    let (resource, name) = text.split_once('\0')?;
    Some(ObjectKey { group: group.to_owned(), resource: resource.to_owned(), name: name.to_owned() })
}

/// Key of the n-th own entry, or of the n-th conflict.
pub(super) fn numbered(share: u128, n: u64) -> Bytes {
    of_share(share, &n.to_be_bytes())
}

/// Reads the rest of a numbered key.
pub(super) fn parse_numbered(rest: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(rest.try_into().ok()?))
}

/// A clock row's value.
pub(super) fn encode_clock(hlc: Hlc, have: &VersionVector) -> Bytes {
    let mut out = hlc.0.to_be_bytes().to_vec();
    for (actor, n) in have.iter() {
        out.extend_from_slice(&actor.0.to_be_bytes());
        out.extend_from_slice(&n.to_be_bytes());
    }
    out.into()
}

/// Reads a clock row's value.
pub(crate) fn decode_clock(value: &[u8]) -> Option<(Hlc, VersionVector)> {
    let (hlc, pairs) = value.split_first_chunk::<8>()?;
    if pairs.len() % 24 != 0 {
        return None;
    }
    let have = pairs.chunks_exact(24).filter_map(|pair| {
        let (actor, n) = pair.split_first_chunk::<16>()?;
        Some((ActorId(u128::from_be_bytes(*actor)), parse_numbered(n)?))
    });
    Some((Hlc(u64::from_be_bytes(*hlc)), have.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back() {
        let key = ObjectKey { group: "apps".into(), resource: "deployments".into(), name: "web".into() };
        let row = object(7, &key);
        let (share, rest) = split(&row).unwrap();
        assert_eq!((share, parse_object(rest)), (7, Some(key)));
        let have: VersionVector = [(ActorId(1), 5), (ActorId(u128::MAX), 9)].into_iter().collect();
        assert_eq!(decode_clock(&encode_clock(Hlc(3), &have)), Some((Hlc(3), have)));
        assert_eq!(decode_clock(&[0; 9]), None);
    }
}
