//! Sets of keys: what a user's roles add up to (etcd: server/auth/range_perm_cache.go).

use bytes::{BufMut, Bytes, BytesMut};

/// The end of an interval that has none, on the wire.
const OPEN_END: &[u8] = &[0];

/// A set of keys as disjoint intervals, in order. Intervals that touch are one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct KeySet(Vec<Interval>);

/// Keys from `start` up to `end`, which is not one of them.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Interval {
    start: Bytes,
    end: End,
}

/// Where an interval ends. The order of the variants is the order of the ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum End {
    Before(Bytes),
    Open,
}

impl Interval {
    /// From a key and a range end with etcd's meanings: no end = the single key, one zero byte = everything from `key`.
    fn of(key: &Bytes, range_end: &Bytes) -> Interval {
        let end = match range_end.as_ref() {
            [] => End::Before(successor(key)),
            OPEN_END => End::Open,
            _ => End::Before(range_end.clone()),
        };
        Interval { start: key.clone(), end }
    }

    /// Does it end before `key`, with a gap?
    fn ends_before(&self, key: &Bytes) -> bool {
        matches!(&self.end, End::Before(end) if end < key)
    }
}

impl KeySet {
    /// The union of intervals, each a key and a range end.
    pub(super) fn union<'a>(ranges: impl IntoIterator<Item = (&'a Bytes, &'a Bytes)>) -> KeySet {
        let mut sorted: Vec<Interval> = ranges.into_iter().map(|(key, end)| Interval::of(key, end)).collect();
        sorted.sort_by(|a, b| a.start.cmp(&b.start));
        let mut merged: Vec<Interval> = Vec::with_capacity(sorted.len());
        for next in sorted {
            match merged.last_mut() {
                Some(last) if !last.ends_before(&next.start) => last.end = last.end.clone().max(next.end),
                _ => merged.push(next),
            }
        }
        KeySet(merged)
    }

    /// Is the whole interval in the set? One that is empty, because its end lies at or below its start, is judged by its
    /// start. O(log n).
    pub(super) fn contains(&self, key: &Bytes, range_end: &Bytes) -> bool {
        let after = self.0.partition_point(|interval| interval.start <= *key);
        let Some(candidate) = after.checked_sub(1).and_then(|at| self.0.get(at)) else { return false };
        let starts_inside = matches!(&candidate.end, End::Before(end) if key < end) || candidate.end == End::Open;
        starts_inside && Interval::of(key, range_end).end <= candidate.end
    }
}

/// May a permission speak of this interval? It must not be empty (etcd: isValidPermissionRange).
pub(super) fn is_range(key: &Bytes, range_end: &Bytes) -> bool {
    !key.is_empty() && (range_end.is_empty() || key < range_end || range_end.as_ref() == OPEN_END)
}

/// The least key above `key`.
fn successor(key: &Bytes) -> Bytes {
    let mut next = BytesMut::with_capacity(key.len() + 1);
    next.put_slice(key);
    next.put_u8(0);
    next.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(&'static str, &'static str)]) -> KeySet {
        let ranges: Vec<(Bytes, Bytes)> = ranges.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
        KeySet::union(ranges.iter().map(|(a, b)| (a, b)))
    }

    fn has(set: &KeySet, key: &'static str, end: &'static str) -> bool {
        set.contains(&key.into(), &end.into())
    }

    #[test]
    fn a_single_key_is_nothing_but_itself() {
        let one = set(&[("k", "")]);
        assert!(has(&one, "k", ""));
        assert!(has(&one, "k", "k\0"));
        for (key, end) in [("j", ""), ("k\0", ""), ("k1", ""), ("k", "k\0\0"), ("k", "l"), ("k", "\0"), ("\0", "\0")] {
            assert!(!has(&one, key, end), "{key:?} {end:?}");
        }
    }

    #[test]
    fn edges_belong_to_the_start_and_not_to_the_end() {
        let some = set(&[("b", "d")]);
        assert!(has(&some, "b", "") && has(&some, "czz", "") && has(&some, "b", "d"));
        assert!(!has(&some, "a", "") && !has(&some, "d", "") && !has(&some, "b", "d\0") && !has(&some, "b", "\0"));
    }

    #[test]
    fn touching_and_overlapping_ranges_are_one_and_a_gap_is_none() {
        let some = set(&[("c", "e"), ("a", "c"), ("d", "f"), ("g", "h"), ("h", "")]);
        assert!(has(&some, "a", "f"));
        assert!(has(&some, "g", "h\0"));
        assert!(!has(&some, "a", "g") && !has(&some, "f", ""));
        assert_eq!(some.0.len(), 2);
    }

    #[test]
    fn an_open_end_covers_all_and_only_an_open_end_covers_it() {
        let all = set(&[("\0", "\0")]);
        assert!(has(&all, "\0", "\0") && has(&all, "zzz", "") && has(&all, "a", "\0"));
        let most = set(&[("m", "\0")]);
        assert!(has(&most, "m", "\0") && has(&most, "z", "") && !has(&most, "l", "\0"));
        assert!(!has(&set(&[("a", "zzzz")]), "a", "\0"));
    }

    #[test]
    fn an_empty_interval_is_judged_by_its_start() {
        let some = set(&[("b", "d")]);
        assert!(has(&some, "c", "a") && has(&some, "b", "b"));
        assert!(!has(&some, "d", "a") && !has(&some, "a", "a"));
        assert!(!has(&KeySet::default(), "a", ""));
    }

    #[test]
    fn a_permission_needs_a_range() {
        let valid = |key: &'static str, end: &'static str| is_range(&key.into(), &end.into());
        assert!(valid("a", "") && valid("a", "b") && valid("a", "\0") && valid("\0", "\0"));
        assert!(!valid("", "") && !valid("", "a") && !valid("b", "a") && !valid("a", "a"));
    }
}
