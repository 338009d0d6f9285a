//! The order of all changes, as it follows from the watches: the role that etcd's own checkers give to the write-ahead log.
//! A checker compares everything that clients were told with it.

use super::{
    History,
    operation::{Kv, Read, WriteOp},
    watch::Change,
};
use std::collections::{BTreeMap, btree_map::Entry};

/// The changes of one revision, by key: no key changes twice in one revision of the workload.
pub type Revision = BTreeMap<String, Change>;

/// Every revision that a watch showed, and what every acknowledged write says about its own.
#[derive(Clone, Debug, Default)]
pub struct Log {
    /// By revision. A watch without former versions contributes, too; they are derived here.
    pub revisions: BTreeMap<i64, Revision>,
    /// Two watches that show a revision differently.
    pub contradictions: Vec<String>,
}

impl Log {
    /// Puts together what watches showed.
    #[must_use]
    pub fn of(history: &History) -> Log {
        let mut log = Log::default();
        for change in history.watches.iter().flat_map(|watch| watch.changes()) {
            let revision = log.revisions.entry(change.kv.mod_revision).or_default();
            match revision.entry(change.kv.key.clone()) {
                Entry::Vacant(free) => {
                    free.insert(Change { previous: None, ..change.clone() });
                }
                Entry::Occupied(there) => {
                    let there = there.get();
                    if (there.delete, &there.kv) != (change.delete, &change.kv) {
                        log.contradictions.push(format!("two watches disagree: {:?} and {:?}", there, change));
                    }
                }
            }
        }
        log
    }

    /// The last revision.
    #[must_use]
    pub fn last(&self) -> i64 {
        self.revisions.last_key_value().map_or(1, |(revision, _)| *revision)
    }

    /// Is the revision exactly what these operations do?
    #[must_use]
    pub fn is(&self, revision: i64, ops: &[&WriteOp]) -> bool {
        let Some(changes) = self.revisions.get(&revision) else { return false };
        changes.len() == ops.len()
            && ops.iter().all(|op| match (op, changes.get(op.key())) {
                (WriteOp::Put { value, lease, .. }, Some(change)) => {
                    !change.delete && change.kv.value == *value && change.kv.lease == *lease
                }
                (WriteOp::Delete { .. }, Some(change)) => change.delete,
                (_, None) => false,
            })
    }

    /// The state at each revision that is asked for, in ascending order; `visit` gets the number of the question.
    ///
    /// # Panics
    /// The questions do not ascend.
    pub fn replay(&self, questions: &[i64], mut visit: impl FnMut(usize, &State)) {
        assert!(questions.is_sorted(), "questions ascend");
        let mut state = State::default();
        let mut revisions = self.revisions.iter().peekable();
        for (number, question) in questions.iter().enumerate() {
            while let Some((revision, changes)) = revisions.next_if(|(revision, _)| *revision <= question) {
                state.apply(*revision, changes);
            }
            visit(number, &state);
        }
    }
}

/// All live versions at one revision.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct State(BTreeMap<String, Kv>);

impl State {
    /// Applies one revision; versions and create revisions are computed here, not taken from the events.
    pub fn apply(&mut self, revision: i64, changes: &Revision) {
        for (key, change) in changes {
            if change.delete {
                self.0.remove(key);
                continue;
            }
            let before = self.0.get(key);
            let now = Kv {
                create_revision: before.map_or(revision, |kv| kv.create_revision),
                mod_revision: revision,
                version: before.map_or(1, |kv| kv.version + 1),
                ..change.kv.clone()
            };
            self.0.insert(key.clone(), now);
        }
    }

    /// One key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Kv> {
        self.0.get(key)
    }

    /// An interval, without its limit.
    pub fn range<'a>(&'a self, read: &'a Read) -> impl Iterator<Item = &'a Kv> {
        self.0.values().filter(|kv| read.covers(&kv.key))
    }
}
