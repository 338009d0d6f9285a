//! Range (etcd: server/etcdserver/txn/range.go): pure evaluation against one state.

use super::key_value::value_in;
use super::request::{RangeReply, RangeRequest, SortOrder, SortTarget};
use super::state::{HistoryEvent, State};
use super::version::Version;
use crate::error::RequestError;
use crate::key_range::KeyRange;
use crate::revision::Revision;
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
        let version = state.newest(key).and_then(|newest| state.version_at(newest, revision)?.live());
        let found: Vec<&Version> = version.into_iter().collect();
        let count = found.len() as i64;
        return reply(state, request, found, limit, count);
    }
    let count = count_at(state, &range, revision);
    if request.count_only {
        return Ok(RangeReply { count, ..RangeReply::default() });
    }
    // One more than the limit tells whether something is cut off.
    let pushed_down = has_default_order(request) && !has_filters(request);
    let read = if pushed_down { limit.saturating_add(1) } else { usize::MAX };
    let found = versions_at(state, &range, revision).take(read).collect();
    reply(state, request, found, limit, count)
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
    state.by_key.range(start, end).filter_map(move |newest| state.version_at(newest, revision)?.live())
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
        .filter(|event| range.contains(event.version.key()))
        .map(growth)
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

/// As etcd decides whether the limit is applied before sorting (range.go, IsDefaultOrdering): without an order it is, and
/// then the first keys of the interval are sorted, whatever the target.
fn has_default_order(request: &RangeRequest) -> bool {
    match request.sort_order {
        SortOrder::None => true,
        SortOrder::Ascend => request.sort_target == SortTarget::Key,
        SortOrder::Descend => false,
    }
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

/// Filters, then sorts, then cuts, then reads the values of what is left.
fn reply(
    state: &State,
    request: &RangeRequest,
    mut found: Vec<&Version>,
    limit: usize,
    count: i64,
) -> Result<RangeReply, RequestError> {
    if request.count_only {
        return Ok(RangeReply { count, ..RangeReply::default() });
    }
    if has_filters(request) {
        found.retain(|version| passes_filters(request, version));
    }
    if request.sort_target == SortTarget::Value {
        return sorted_by_value(state, request, found, limit, count);
    }
    sort(request, &mut found);
    let more = found.len() > limit;
    found.truncate(limit);
    // etcd answers from its index, which has no leases, unless it has to read the values for sorting (FastKeysOnly).
    let kvs = if request.keys_only {
        found.into_iter().map(|version| version.encode_without_value(false)).collect()
    } else {
        state.values.get_all(found.into_iter())?
    };
    Ok(RangeReply { kvs, more, count })
}

/// The one order that has to read every value first.
fn sorted_by_value(
    state: &State,
    request: &RangeRequest,
    found: Vec<&Version>,
    limit: usize,
    count: i64,
) -> Result<RangeReply, RequestError> {
    let values = state.values.get_all(found.iter().copied())?;
    let mut found: Vec<_> = found.into_iter().zip(values).collect();
    match request.sort_order {
        SortOrder::Descend => found.sort_by(|(_, a), (_, b)| value_in(b).cmp(value_in(a))),
        SortOrder::None | SortOrder::Ascend => found.sort_by(|(_, a), (_, b)| value_in(a).cmp(value_in(b))),
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let encode = |(version, kv): (&Version, _)| if request.keys_only { version.encode_without_value(true) } else { kv };
    Ok(RangeReply { kvs: found.into_iter().map(encode).collect(), more, count })
}

/// Order None with a target other than the key counts as ascending (etcd: range.go).
fn sort(request: &RangeRequest, found: &mut [&Version]) {
    let by = |a: &&Version, b: &&Version| -> Ordering {
        match request.sort_target {
            SortTarget::Version => a.number().cmp(&b.number()),
            SortTarget::Create => a.create_revision().cmp(&b.create_revision()),
            SortTarget::Mod => a.revision().main.cmp(&b.revision().main),
            // In this order already, and not sorted here.
            SortTarget::Key | SortTarget::Value => Ordering::Equal,
        }
    };
    match (request.sort_target, request.sort_order) {
        (SortTarget::Key, SortOrder::None | SortOrder::Ascend) => {}
        (SortTarget::Key, SortOrder::Descend) => found.reverse(),
        (_, SortOrder::Descend) => found.sort_by(|a, b| by(b, a)),
        (_, SortOrder::None | SortOrder::Ascend) => found.sort_by(by),
    }
}
