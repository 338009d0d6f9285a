//! Which operation made which revision. Acknowledged writes say so themselves; what is left is searched for among the writes
//! without an answer, and among the ends of leases.

use crate::history::{History, Log, Outcome, Request, State, Write, WriteOp};
use std::collections::BTreeMap;

/// Twice a revision; plus one for what comes after its write and before the next one's.
pub(super) type Point = i64;

/// Where an operation stands in the one order, if its answer says so.
pub(super) fn point(history: &History, index: usize) -> Option<Point> {
    let operation = history.operations.get(index)?;
    let revision = operation.revision()?;
    Some(2 * revision + i64::from(operation.acknowledged().is_none()))
}

/// For each operation, the largest point among those that returned before it was called: it must stand behind them.
pub(super) fn floors(history: &History) -> Vec<Point> {
    let operations = &history.operations;
    let mut returned: Vec<(u64, Point)> = operations
        .iter()
        .enumerate()
        .filter_map(|(index, operation)| Some((operation.returned_ns, point(history, index)?)))
        .collect();
    returned.sort_unstable();
    let mut called: Vec<(u64, usize)> =
        operations.iter().enumerate().map(|(index, operation)| (operation.called_ns, index)).collect();
    called.sort_unstable();
    let mut floors = vec![0; operations.len()];
    let mut returned = returned.into_iter().peekable();
    let mut floor = 0;
    for (called_ns, index) in called {
        while let Some((_, point)) = returned.next_if(|(returned_ns, _)| *returned_ns < called_ns) {
            floor = floor.max(point);
        }
        if let Some(slot) = floors.get_mut(index) {
            *slot = floor;
        }
    }
    floors
}

/// Who made a revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Maker {
    /// The operation with this index.
    Operation(usize),
    /// The end of this lease.
    Lease(i64),
    /// Nobody that is known.
    Nobody,
}

/// The maker of every revision of the log.
pub(super) fn makers(history: &History, log: &Log) -> BTreeMap<i64, Maker> {
    let acknowledged: BTreeMap<i64, usize> = history
        .operations
        .iter()
        .enumerate()
        .filter_map(|(index, operation)| Some((operation.acknowledged()?.0, index)))
        .collect();
    let mut open: Vec<(usize, &Write)> = history
        .operations
        .iter()
        .enumerate()
        .filter(|(_, operation)| operation.outcome == Outcome::Unknown)
        .filter_map(|(index, operation)| match &operation.request {
            Request::Write(write) => Some((index, write)),
            _ => None,
        })
        .collect();
    // A guard leaves the fewest revisions, so who has one is asked first.
    open.sort_by_key(|(_, write)| write.guard.is_none());
    let floors = floors(history);
    let mut makers = BTreeMap::new();
    let mut state = State::default();
    for (revision, changes) in &log.revisions {
        let maker = match acknowledged.get(revision) {
            Some(index) => Maker::Operation(*index),
            None => {
                let ended = lease_end(&state, changes.values().map(|change| (change.delete, change.kv.key.as_str())));
                // Whoever may have made an earlier revision may also have made a later one: taking the first is right.
                let found = open.iter().position(|(index, write)| {
                    floors.get(*index).is_some_and(|floor| *floor < 2 * revision)
                        && holds(&state, write)
                        && log.is(*revision, &effective(&state, write))
                });
                match (found, ended) {
                    (Some(found), _) => Maker::Operation(open.remove(found).0),
                    (None, Some(lease)) => Maker::Lease(lease),
                    (None, None) => Maker::Nobody,
                }
            }
        };
        makers.insert(*revision, maker);
        state.apply(*revision, changes);
    }
    makers
}

/// Does the guard hold?
pub(super) fn holds(state: &State, write: &Write) -> bool {
    write.guard.as_ref().is_none_or(|(key, wanted)| state.get(key).map_or(0, |kv| kv.mod_revision) == *wanted)
}

/// The operations that change something: a delete of a key that is not there does not.
fn effective<'a>(state: &State, write: &'a Write) -> Vec<&'a WriteOp> {
    let ops = write.ops.iter();
    ops.filter(|op| matches!(op, WriteOp::Put { .. }) || state.get(op.key()).is_some()).collect()
}

/// The lease that all these deleted keys had, if it is the same one.
fn lease_end<'a>(before: &State, mut changes: impl Iterator<Item = (bool, &'a str)>) -> Option<i64> {
    let mut ended = None;
    let same = changes.all(|(delete, key)| {
        let lease = before.get(key).map_or(0, |kv| kv.lease);
        delete && lease != 0 && *ended.get_or_insert(lease) == lease
    });
    ended.filter(|_| same)
}
