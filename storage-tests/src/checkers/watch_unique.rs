//! Watch, Unique: no event comes twice on one watch.

use crate::history::{History, Log};
use std::collections::BTreeSet;

pub(super) fn check(history: &History, _log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for watch in &history.watches {
        let mut seen = BTreeSet::new();
        for change in watch.changes() {
            if !seen.insert((change.kv.mod_revision, &change.kv.key)) {
                found.push(format!("twice on the watch of {:?}: {change:?}", watch.interval));
            }
        }
    }
    found
}
