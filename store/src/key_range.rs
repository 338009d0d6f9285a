//! An interval of keys, as etcd's `key` and `range_end` say it (etcd: api/etcdserverpb/rpc.proto, RangeRequest).

use bytes::Bytes;
use std::ops::Bound;

/// A single key, or a half-open interval.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRange {
    start: Bytes,
    end: End,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum End {
    /// Only the start itself.
    Single,
    /// Everything from the start.
    Unbounded,
    /// Up to, not including. At or below the start: the interval is empty.
    Excluded(Bytes),
}

impl KeyRange {
    /// `range_end` empty = the single key; one zero byte = everything from `key`; else exclusive. An interval with an
    /// end at or below its start is empty and no error.
    pub fn new(key: &Bytes, range_end: &Bytes) -> KeyRange {
        let end = match range_end.as_ref() {
            [] => End::Single,
            [0] => End::Unbounded,
            _ => End::Excluded(range_end.clone()),
        };
        KeyRange { start: key.clone(), end }
    }

    /// Every key that starts with `prefix`.
    pub fn prefix(prefix: &[u8]) -> KeyRange {
        let mut end = prefix.to_vec();
        let end = loop {
            match end.pop() {
                None => break End::Unbounded,
                Some(0xff) => {}
                Some(last) => {
                    end.push(last + 1);
                    break End::Excluded(end.into());
                }
            }
        };
        KeyRange { start: Bytes::copy_from_slice(prefix), end }
    }

    /// The interval as bounds.
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let start = self.start.as_ref();
        match &self.end {
            End::Single => (Bound::Included(start), Bound::Included(start)),
            End::Unbounded => (Bound::Included(start), Bound::Unbounded),
            End::Excluded(end) => (Bound::Included(start), Bound::Excluded(end)),
        }
    }

    /// The only key of the interval, if it was given as one.
    pub fn single(&self) -> Option<&Bytes> {
        matches!(self.end, End::Single).then_some(&self.start)
    }

    /// True if the key lies in the interval.
    pub fn contains(&self, key: &[u8]) -> bool {
        match &self.end {
            End::Single => key == self.start,
            End::Unbounded => key >= self.start.as_ref(),
            End::Excluded(end) => key >= self.start.as_ref() && key < end.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn range_end_has_three_meanings() {
        let range = |key: &'static str, end: &'static str| KeyRange::new(&key.into(), &end.into());
        let cases = [
            (range("b", ""), vec!["b"]),
            (range("b", "\0"), vec!["b", "ba", "c"]),
            (range("b", "c"), vec!["b", "ba"]),
            (range("b", "a"), vec![]),
            (range("b", "b"), vec![]),
            (range("\0", "\0"), vec!["a", "b", "ba", "c"]),
            (KeyRange::prefix(b"b"), vec!["b", "ba"]),
            (KeyRange::prefix(b""), vec!["a", "b", "ba", "c"]),
        ];
        for (range, expected) in cases {
            let inside: Vec<_> =
                ["a", "b", "ba", "c"].into_iter().filter(|key| range.contains(key.as_bytes())).collect();
            assert_eq!(inside, expected, "{range:?}");
        }
        assert_eq!(KeyRange::prefix(b"a\xff\xff"), KeyRange::new(&Bytes::from_static(b"a\xff\xff"), &"b".into()));
        assert_eq!(KeyRange::prefix(b"\xff").bounds().1, Bound::Unbounded);
    }
}
