//! Watch, Ordered: events come by revision, never backwards.

use crate::history::{History, Log};

pub(super) fn check(history: &History, _log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for watch in &history.watches {
        let mut before = 0;
        for change in watch.changes() {
            let now = change.kv.mod_revision;
            if now < before {
                found.push(format!("{now} came after {before} on the watch of {:?}", watch.interval));
            }
            before = now;
        }
    }
    found
}
