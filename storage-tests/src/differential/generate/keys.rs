//! Keys, intervals and values.

use super::super::random::Random;
use bytes::Bytes;

/// Keys that are neighbours, prefixes of each other, and at the edges of the keyspace.
const EDGES: &[&[u8]] = &[
    b"a",
    b"a\0",
    b"a/",
    b"a/1",
    b"a/1\0",
    b"a/2",
    b"a/3",
    b"aa",
    b"b",
    b"b/1",
    b"b/2",
    b"c",
    b"\0",
    b"\0\0",
    b"\x01",
    b"\xff",
    b"\xff\0",
    b"\xff\xff",
    b"\xc3\x28",
    b"registry/pods/ns/p",
];
/// Numbered keys, for ranges with many.
const NUMBERED: i64 = 40;

/// A key that is valid.
pub(super) fn key(random: &mut Random) -> Bytes {
    if random.percent(55) {
        Bytes::from_static(random.pick(EDGES))
    } else {
        Bytes::from(format!("k/{:02}", random.between(0, NUMBERED)))
    }
}

/// A key, or sometimes an empty one.
pub(super) fn key_or_empty(random: &mut Random) -> Bytes {
    if random.once_in(100) { Bytes::new() } else { key(random) }
}

/// First key and end of an interval: single, prefix, everything, from a key on, any two keys, sometimes upside down.
pub(super) fn interval(random: &mut Random) -> (Bytes, Bytes) {
    let start = key_or_empty(random);
    match random.weighted(&[30, 30, 5, 8, 17, 4, 6]) {
        0 => (start, Bytes::new()),
        1 => (Bytes::from_static(b"k/"), Bytes::from_static(b"k0")),
        2 => (Bytes::from_static(b"\0"), Bytes::from_static(b"\0")),
        3 => (start, Bytes::from_static(b"\0")),
        4 => {
            let other = key(random);
            if start <= other { (start, other) } else { (other, start) }
        }
        5 => {
            let other = key(random);
            if start <= other { (other, start) } else { (start, other) }
        }
        _ => {
            let end = prefix_end(&start);
            (start, end)
        }
    }
}

/// The least key above all keys with this prefix, or one zero byte if there is none (etcd client/v3/op.go).
fn prefix_end(prefix: &Bytes) -> Bytes {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return end.into();
        }
    }
    Bytes::from_static(b"\0")
}

/// Few different small values, so that comparisons hit; rarely a large one.
pub(super) fn value(random: &mut Random) -> Bytes {
    match random.weighted(&[10, 60, 28, 2]) {
        0 => Bytes::new(),
        1 => Bytes::from(format!("v{}", random.between(0, 5))),
        2 => Bytes::from(vec![b'x'; random.below(300)]),
        _ => Bytes::from(vec![b'y'; random.below(4000)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_behind_its_last_key() {
        assert_eq!(prefix_end(&Bytes::from_static(b"a/")), "a0");
        assert_eq!(prefix_end(&Bytes::from_static(b"a\xff\xff")), "b");
        assert_eq!(prefix_end(&Bytes::from_static(b"\xff")), Bytes::from_static(b"\0"));
    }
}
