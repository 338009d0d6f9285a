//! Leases: the keys of a lease go in one revision, and not before its time unless it was revoked; after its time, or its
//! revocation, they are gone.

use super::attribution::{Maker, makers};
use crate::history::{History, Log, Outcome, Read, Request, State};
use std::collections::BTreeMap;

/// A lease may outlive its time by this much: the interval at which ends are looked for, and a restart, which gives every
/// lease its whole time again.
const LATE_NS: u64 = 5_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
/// Behind every key.
const LAST_KEY: &str = "\u{10ffff}";

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    let (mut granted, mut revoked) = (BTreeMap::new(), BTreeMap::new());
    for operation in &history.operations {
        match (&operation.request, &operation.outcome) {
            (Request::Grant { lease, ttl_s }, Outcome::Done { .. }) => {
                granted.insert(*lease, (operation.called_ns, operation.returned_ns, *ttl_s));
            }
            (Request::Revoke(lease), outcome) if !matches!(outcome, Outcome::Refused(_)) => {
                revoked.insert(*lease, (operation.called_ns, operation.revision()));
            }
            _ => {}
        }
    }
    let mut state = State::default();
    let makers = makers(history, log);
    for (revision, changes) in &log.revisions {
        if let Some(Maker::Lease(lease)) = makers.get(revision) {
            let all = Read { end: LAST_KEY.into(), ..Read::default() };
            let left = state.range(&all).filter(|kv| kv.lease == *lease && !changes.contains_key(&kv.key)).count();
            if left > 0 {
                found.push(format!("lease {lease} ended at {revision} and left {left} of its keys"));
            }
            if !revoked.contains_key(lease) && !granted.contains_key(lease) {
                found.push(format!("lease {lease} ended at {revision}; nobody has granted it"));
            }
            if let (None, Some(early)) = (revoked.get(lease), seen_early(history, &granted, *lease, *revision)) {
                found.push(early);
            }
        }
        state.apply(*revision, changes);
    }
    found.extend(late(history, log, &granted));
    found
}

/// Somebody knew of the revision before the lease's time was over.
fn seen_early(
    history: &History,
    granted: &BTreeMap<i64, (u64, u64, i64)>,
    lease: i64,
    revision: i64,
) -> Option<String> {
    let (called_ns, _, ttl_s) = granted.get(&lease)?;
    let over_ns = called_ns + u64::try_from(*ttl_s).ok()? * SECOND_NS;
    let witness = history.operations.iter().find(|operation| {
        operation.revision().is_some_and(|seen| seen >= revision) && operation.returned_ns < over_ns
    })?;
    Some(format!("lease {lease} ended at revision {revision}, before its {ttl_s} s were over: {witness:?}"))
}

/// Reads that still find a key of a lease long after its time.
fn late(history: &History, _log: &Log, granted: &BTreeMap<i64, (u64, u64, i64)>) -> Vec<String> {
    let reads = history.operations.iter().filter_map(|operation| match (&operation.request, &operation.outcome) {
        (Request::Read(read), Outcome::Found { kvs, .. }) if read.revision == 0 => Some((operation, kvs)),
        _ => None,
    });
    let mut found = Vec::new();
    for (operation, kvs) in reads {
        for kv in kvs.iter().filter(|kv| kv.lease != 0) {
            let Some((_, returned_ns, ttl_s)) = granted.get(&kv.lease) else { continue };
            let over_ns = returned_ns + 2 * u64::try_from(*ttl_s).unwrap_or(0) * SECOND_NS + LATE_NS;
            if operation.called_ns > over_ns {
                found.push(format!("lease {} should have ended: {kv:?} in {operation:?}", kv.lease));
            }
        }
    }
    found
}
