//! Judges of a history, one promise a file. Each returns what it finds wrong; an empty list is a pass.
//!
//! The promises are those that etcd publishes (learning/api_guarantees); its own checkers are in tests/robustness/validate.

use crate::history::{History, Log};

mod attribution;
mod compaction;
mod lease;
mod linearizable;
mod no_lost_ack;
mod revision_replay;
mod watch_atomic;
mod watch_bookmarkable;
mod watch_fields;
mod watch_ordered;
mod watch_reliable;
mod watch_resumable;
mod watch_unique;

/// A checker.
pub type Checker = fn(&History, &Log) -> Vec<String>;

/// All of them, with their names.
pub const ALL: &[(&str, Checker)] = &[
    ("linearizable", linearizable::check),
    ("revision_replay", revision_replay::check),
    ("no_lost_ack", no_lost_ack::check),
    ("watch_ordered", watch_ordered::check),
    ("watch_unique", watch_unique::check),
    ("watch_atomic", watch_atomic::check),
    ("watch_reliable", watch_reliable::check),
    ("watch_resumable", watch_resumable::check),
    ("watch_bookmarkable", watch_bookmarkable::check),
    ("watch_fields", watch_fields::check),
    ("compaction", compaction::check),
    ("lease", lease::check),
];

/// Violations that are shown of one checker.
const SHOWN_MAX: usize = 5;

/// What all checkers find; each line names its checker.
#[must_use]
pub fn check(history: &History) -> Vec<String> {
    let log = Log::of(history);
    let mut all: Vec<String> = log.contradictions.iter().take(SHOWN_MAX).cloned().collect();
    for (name, checker) in ALL {
        all.extend(checker(history, &log).into_iter().take(SHOWN_MAX).map(|found| format!("{name}: {found}")));
    }
    all
}

#[cfg(test)]
mod tests;
