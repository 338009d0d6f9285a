//! Strict serializability: there is one order of all operations that agrees with real time and with every answer.
//!
//! The search of Wing and Gong, with Lowe's pruning, is made cheap by the revisions: a write that was answered stands at
//! its revision, a read right behind the revision in its header. What is left to search for are the writes without an
//! answer, and `attribution` does that. Then every revision needs a maker, no revision may have two, and what returned
//! before another operation was called must not stand behind it. The contents are `revision_replay`'s.

use super::attribution::{Maker, floors, makers, point};
use crate::history::{History, Log};
use std::collections::BTreeMap;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    let mut made: BTreeMap<i64, usize> = BTreeMap::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let Some((revision, _)) = operation.acknowledged() else { continue };
        if let Some(other) = made.insert(revision, index) {
            let other = history.operations.get(other);
            found.push(format!("revision {revision} was given to {other:?} and to {operation:?}"));
        }
    }
    for (index, floor) in floors(history).into_iter().enumerate() {
        if let (Some(point), Some(operation)) = (point(history, index), history.operations.get(index))
            && point < floor
        {
            let known = floor / 2;
            found.push(format!("revision {known} had been answered before this was called: {operation:?}"));
        }
    }
    for (revision, maker) in makers(history, log) {
        if maker == Maker::Nobody {
            found.push(format!("nobody made revision {revision}: {:?}", log.revisions.get(&revision)));
        }
    }
    found
}
