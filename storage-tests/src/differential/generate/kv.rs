//! Requests of the KV service, but for Txn.

use super::{
    super::{
        random::Random,
        relative::{COMPACTED, CURRENT},
    },
    keys, lease,
};
use crate::client::wire::{CompactionRequest, DeleteRangeRequest, PutRequest, RangeRequest};
use bytes::Bytes;

/// Numbers that no enumeration of etcd has.
const NO_ENUM: &[i32] = &[-1, 3, 5, 99, i32::MAX, i32::MIN];

/// A revision to read at: mostly 0, then around the current and the compacted one, sometimes senseless.
pub(super) fn revision(random: &mut Random) -> i64 {
    match random.weighted(&[50, 30, 12, 2, 2, 2, 2]) {
        0 => 0,
        1 => CURRENT - random.between(0, 40),
        2 => COMPACTED + random.between(-2, 4),
        3 => CURRENT + random.between(1, 4),
        4 => -random.between(1, 4),
        5 => random.between(1, 100),
        _ => random.pick(&[i64::MIN, i64::MAX, i64::MAX - 1]),
    }
}

/// A bound of a filter by revision; mostly none.
fn bound(random: &mut Random) -> i64 {
    match random.weighted(&[90, 8, 1, 1]) {
        0 => 0,
        1 => CURRENT - random.between(-1, 60),
        2 => -1,
        _ => i64::MAX,
    }
}

fn limit(random: &mut Random) -> i64 {
    match random.weighted(&[50, 46, 2, 1, 1]) {
        0 => 0,
        1 => random.between(1, 15),
        2 => -random.between(1, 5),
        3 => i64::MAX,
        _ => i64::MIN,
    }
}

/// A value of an enumeration with this many values, or rarely a number outside.
fn enumeration(random: &mut Random, values: i64) -> i32 {
    if random.once_in(60) { random.pick(NO_ENUM) } else { random.between(0, values) as i32 }
}

/// A Range with any option.
pub(super) fn range(random: &mut Random) -> RangeRequest {
    let (key, range_end) = keys::interval(random);
    let sorted = random.percent(35);
    let filtered = random.percent(30);
    let bound = |random: &mut Random| if filtered { bound(random) } else { 0 };
    RangeRequest {
        key,
        range_end,
        limit: limit(random),
        revision: revision(random),
        sort_order: if sorted { enumeration(random, 3) } else { 0 },
        sort_target: if sorted { enumeration(random, 5) } else { 0 },
        serializable: random.percent(20),
        keys_only: random.percent(15),
        count_only: random.percent(10),
        min_mod_revision: bound(random),
        max_mod_revision: bound(random),
        min_create_revision: bound(random),
        max_create_revision: bound(random),
    }
}

/// As [`range`], mostly without what a stream does not support.
pub(super) fn range_stream(random: &mut Random) -> RangeRequest {
    let request = range(random);
    // With a target and no order etcd sorts each chunk, and goes on behind the last key of it: keys come twice or not at
    // all, and the count is wrong.
    if random.percent(15) && (request.sort_target == 0 || request.sort_order != 0) {
        return request;
    }
    RangeRequest {
        sort_order: 0,
        sort_target: 0,
        min_mod_revision: 0,
        max_mod_revision: 0,
        min_create_revision: 0,
        max_create_revision: 0,
        ..request
    }
}

/// A Put with any option.
pub(super) fn put(random: &mut Random) -> PutRequest {
    let ignore_value = random.percent(6);
    let ignore_lease = random.percent(6);
    let value = if ignore_value && random.percent(85) { Bytes::new() } else { keys::value(random) };
    let lease = match random.weighted(&[70, 25, 5]) {
        0 => 0,
        _ if ignore_lease && random.percent(70) => 0,
        1 => lease::id(random),
        _ => lease::unknown_id(random),
    };
    PutRequest {
        key: keys::key_or_empty(random),
        value,
        lease,
        prev_kv: random.percent(30),
        ignore_value,
        ignore_lease,
    }
}

/// A DeleteRange; of everything only seldom.
pub(super) fn delete_range(random: &mut Random) -> DeleteRangeRequest {
    let (key, mut range_end) = keys::interval(random);
    if !range_end.is_empty() && random.percent(75) {
        range_end = Bytes::new();
    }
    DeleteRangeRequest { key, range_end, prev_kv: random.percent(40) }
}

/// A compaction: some way behind the current revision, at it, or wrong.
pub(super) fn compaction(random: &mut Random) -> CompactionRequest {
    let revision = match random.weighted(&[60, 15, 10, 15]) {
        0 => CURRENT - random.between(1, 60),
        1 => CURRENT,
        2 => COMPACTED + random.between(-1, 3),
        _ => revision(random),
    };
    CompactionRequest { revision, physical: random.percent(15) }
}
