//! Range (etcd: server/etcdserver/txn/range.go): pure evaluation against one state.

use super::key_value::without_value;
use super::request::{RangeReply, RangeRequest, SortOrder, SortTarget};
use super::state::{HistoryEvent, State};
use super::version::Version;
use crate::error::RequestError;
use crate::key_range::KeyRange;
use crate::revision::Revision;
use bytes::Bytes;
use std::cmp::Ordering;
use std::ops::Bound;

/// Evaluates a Range.
///
/// # Errors
/// Empty key, compacted or future revision.
pub(crate) fn range(state: &State, request: &RangeRequest) -> Result<RangeReply, RequestError> {
    if request.key.is_empty() {
        return Err(RequestError::EmptyKey);
    }
    let revision = readable_revision(state, request.revision)?;
    let range = KeyRange::new(&request.key, &request.range_end);
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);

    if let Some(key) = range.single() {
        let version = state.newest(key).and_then(|(key, newest)| state.version_at(key, newest, revision));
        let found: Vec<&Version> = version.and_then(Version::live).into_iter().collect();
        let count = found.len() as i64;
        return Ok(reply(request, found, limit, count));
    }
    let count = count_at(state, &range, revision);
    if request.count_only {
        return Ok(RangeReply { count, ..RangeReply::default() });
    }
    let pushed_down = if in_key_order(request) && !has_filters(request) { limit } else { usize::MAX };
    let found = versions_at(state, &range, revision).take(pushed_down).collect();
    let mut reply = reply(request, found, limit, count);
    // With the limit pushed down, what was cut off shows only in the count.
    reply.more |= pushed_down < usize::MAX && count > reply.kvs.len() as i64;
    Ok(reply)
}

/// The revision that a request means.
///
/// # Errors
/// It is compacted, or in the future.
pub(crate) fn readable_revision(state: &State, requested: i64) -> Result<i64, RequestError> {
    if requested <= 0 {
        return Ok(state.revision);
    }
    if requested > state.revision {
        return Err(RequestError::FutureRevision { current_revision: state.revision });
    }
    if requested < state.compact_revision {
        return Err(RequestError::Compacted { compact_revision: state.compact_revision });
    }
    Ok(requested)
}

/// Live versions of an interval at a main revision, in key order.
pub(crate) fn versions_at<'a>(
    state: &'a State,
    range: &'a KeyRange,
    revision: i64,
) -> impl Iterator<Item = &'a Version> {
    let (start, end) = range.bounds();
    state
        .by_key
        .range(start, end)
        .filter_map(move |(key, newest)| state.version_at(key, newest, revision).and_then(Version::live))
}

/// Number of live keys of an interval at a main revision. O(log n) for the current one. An older one costs the events
/// since then, or the keys of the interval, whichever are fewer.
fn count_at(state: &State, range: &KeyRange, revision: i64) -> i64 {
    let (start, end) = range.bounds();
    let current = state.by_key.count(start, end) as i64;
    let since = Revision { main: revision, sub: i64::MAX };
    let events_since = state.by_revision.count(Bound::Excluded(&since), Bound::Unbounded) as i64;
    if events_since == 0 {
        return current;
    }
    if current < events_since {
        return versions_at(state, range, revision).count() as i64;
    }
    let grown_since: i64 = state
        .by_revision
        .range(Bound::Excluded(&since), Bound::Unbounded)
        .filter(|(_, event)| range.contains(&event.key))
        .map(|(_, event)| growth(event))
        .sum();
    current - grown_since
}

/// What an event added to the number of live keys.
fn growth(event: &HistoryEvent) -> i64 {
    match event.version.number() {
        _ if event.version.is_tombstone() => -1,
        1 => 1,
        _ => 0,
    }
}

fn in_key_order(request: &RangeRequest) -> bool {
    request.sort_target == SortTarget::Key && request.sort_order != SortOrder::Descend
}

fn has_filters(request: &RangeRequest) -> bool {
    let RangeRequest { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision, .. } = request;
    [min_mod_revision, max_mod_revision, min_create_revision, max_create_revision].into_iter().any(|bound| *bound != 0)
}

fn passes_filters(request: &RangeRequest, version: &Version) -> bool {
    let within = |number: i64, min: i64, max: i64| (min == 0 || number >= min) && (max == 0 || number <= max);
    within(version.revision().main, request.min_mod_revision, request.max_mod_revision)
        && within(version.create_revision(), request.min_create_revision, request.max_create_revision)
}

/// Filters, then sorts, then cuts.
fn reply(request: &RangeRequest, mut found: Vec<&Version>, limit: usize, count: i64) -> RangeReply {
    if request.count_only {
        return RangeReply { count, ..RangeReply::default() };
    }
    if has_filters(request) {
        found.retain(|version| passes_filters(request, version));
    }
    sort(request, &mut found);
    let more = found.len() > limit;
    found.truncate(limit);
    let kvs = found.into_iter().filter_map(|version| encoded(request, version)).collect();
    RangeReply { kvs, more, count }
}

fn encoded(request: &RangeRequest, version: &Version) -> Option<Bytes> {
    let kv = version.kv()?;
    Some(if request.keys_only { without_value(kv) } else { kv.clone() })
}

/// Order None with a target other than the key counts as ascending (etcd: range.go).
fn sort(request: &RangeRequest, found: &mut [&Version]) {
    let by = |a: &&Version, b: &&Version| -> Ordering {
        match request.sort_target {
            SortTarget::Key => a.key().cmp(b.key()),
            SortTarget::Version => a.number().cmp(&b.number()),
            SortTarget::Create => a.create_revision().cmp(&b.create_revision()),
            SortTarget::Mod => a.revision().main.cmp(&b.revision().main),
            SortTarget::Value => a.value().cmp(b.value()),
        }
    };
    match (request.sort_target, request.sort_order) {
        (SortTarget::Key, SortOrder::None | SortOrder::Ascend) => {}
        (SortTarget::Key, SortOrder::Descend) => found.reverse(),
        (_, SortOrder::Descend) => found.sort_by(|a, b| by(b, a)),
        (_, SortOrder::None | SortOrder::Ascend) => found.sort_by(by),
    }
}
