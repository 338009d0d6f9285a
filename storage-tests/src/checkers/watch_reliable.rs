//! Watch, Reliable: between its start and what it says it has reached, a watch shows every event of the log that it wants,
//! and none that it does not want.

use crate::history::{History, Log};
use std::collections::BTreeSet;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for watch in &history.watches {
        let Some(start) = watch.start() else { continue };
        let shown: BTreeSet<(i64, &str)> =
            watch.changes().map(|change| (change.kv.mod_revision, change.kv.key.as_str())).collect();
        for change in watch.changes() {
            if change.kv.mod_revision < start || !watch.wants(change) {
                found.push(format!("not asked for by the watch of {:?}: {change:?}", watch.interval));
            }
        }
        let end = watch.end();
        if end < start {
            continue;
        }
        for (revision, changes) in log.revisions.range(start..=end) {
            for change in changes.values().filter(|change| watch.wants(change)) {
                if !shown.contains(&(*revision, change.kv.key.as_str())) {
                    found.push(format!("left out by the watch of {:?}, up to {end}: {change:?}", watch.interval));
                }
            }
        }
    }
    found
}
