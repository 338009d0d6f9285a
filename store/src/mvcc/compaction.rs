//! Physical compaction in slices: what the mark at `compact_revision` hides is taken out of the trees. Its cost is
//! proportional to the garbage, not to the store.
//!
//! Kept are the newest version of each live key at the compact revision, everything above it, and the events of the
//! compact revision itself: a watch from exactly that revision still sees its deletes (etcd issues 18089, 19179).

use super::state::{HistoryEvent, State};
use super::version::Version;
use crate::planted::{Bug, is_planted};
use crate::revision::Revision;
use std::ops::Bound;

/// Progress of one compaction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Compaction {
    through: i64,
    /// Events up to here are dealt with.
    done: Revision,
}

impl Compaction {
    /// Starts towards the state's compact revision.
    pub(crate) fn towards(compact_revision: i64) -> Compaction {
        Compaction { through: compact_revision, done: Revision::default() }
    }

    /// Looks at the next events and drops what they superseded: what is gone from the trees is added to `dropped`. True
    /// when nothing is left to do.
    pub(crate) fn slice(&mut self, state: &mut State, events_max: usize, dropped: &mut Vec<Version>) -> bool {
        let last = Revision { main: self.through, sub: i64::MAX };
        let slice: Vec<HistoryEvent> = state
            .by_revision
            .range(Bound::Excluded(&self.done), Bound::Included(&last))
            .take(events_max)
            .cloned()
            .collect();
        for event in &slice {
            let revision = event.version.revision();
            self.done = revision;
            // An event of an earlier compaction's own revision is seen twice. A tombstone goes with its own event.
            if revision > state.swept {
                state.swept = revision;
                if let Some(previous) = event.previous.as_ref().and_then(Version::live) {
                    drop_version(state, previous.clone(), dropped);
                }
            }
            let forgets = is_planted(Bug::DeleteDroppedAtCompaction) && event.version.is_tombstone();
            if revision.main < self.through || forgets {
                state.by_revision.remove(&revision);
                if event.version.is_tombstone() {
                    let key = event.version.key();
                    if state.newest(key).is_some_and(|newest| newest.revision() == revision) {
                        state.by_key.remove(key);
                    }
                    drop_version(state, event.version.clone(), dropped);
                }
            }
        }
        slice.len() < events_max
    }
}

fn drop_version(state: &mut State, version: Version, dropped: &mut Vec<Version>) {
    state.bytes -= version.bytes();
    dropped.push(version);
}
