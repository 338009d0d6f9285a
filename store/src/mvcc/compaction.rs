//! Physical compaction in slices: what the mark at `compact_revision` hides is taken out of the trees. Its cost is
//! proportional to the garbage, not to the store.
//!
//! Kept are the newest version of each live key at the compact revision, everything above it, and the events of the
//! compact revision itself: a watch from exactly that revision still sees its deletes (etcd issues 18089, 19179).

use super::state::{HistoryEvent, OlderKey, State};
use super::version::{Key, Version};
use crate::revision::Revision;
use std::ops::Bound;

/// Progress of one compaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Compaction {
    through: i64,
    /// Events up to here are dealt with.
    done: Revision,
}

/// A version that is gone from the trees.
pub(crate) type Dropped = (Key, Version);

impl Compaction {
    /// Starts towards the state's compact revision.
    pub(crate) fn towards(compact_revision: i64) -> Compaction {
        Compaction { through: compact_revision, done: Revision::default() }
    }

    /// Looks at the next events and drops what they superseded. True when nothing is left to do.
    pub(crate) fn slice(&mut self, state: &mut State, events_max: usize, dropped: &mut Vec<Dropped>) -> bool {
        let last = Revision { main: self.through, sub: i64::MAX };
        let slice: Vec<HistoryEvent> = state
            .by_revision
            .range(Bound::Excluded(&self.done), Bound::Included(&last))
            .take(events_max)
            .map(|(event, ())| event.clone())
            .collect();
        for event in &slice {
            let revision = event.version.revision();
            self.done = revision;
            if let Some(previous) = &event.previous {
                drop_older(state, &event.key, previous.revision(), dropped);
            }
            if revision.main < self.through {
                state.by_revision.remove(&revision);
                if event.version.is_tombstone() {
                    drop_tombstone(state, &event.key, revision, dropped);
                }
            }
        }
        slice.len() < events_max
    }
}

fn drop_older(state: &mut State, key: &Key, revision: Revision, dropped: &mut Vec<Dropped>) {
    if let Some(version) = state.older.remove(&OlderKey { key: key.clone(), revision }) {
        state.bytes -= version.bytes(key);
        dropped.push((key.clone(), version));
    }
}

fn drop_tombstone(state: &mut State, key: &Key, revision: Revision, dropped: &mut Vec<Dropped>) {
    if state.by_key.get(&**key).is_some_and(|newest| newest.revision() == revision) {
        if let Some(version) = state.by_key.remove(&**key) {
            state.bytes -= version.bytes(key);
            dropped.push((key.clone(), version));
        }
    } else {
        drop_older(state, key, revision, dropped);
    }
}
