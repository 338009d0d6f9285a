//! Watch, Resumable: a watch that starts at a revision begins with the first event at or after it.

use crate::history::{History, Log};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for watch in &history.watches {
        let (Some(start), Some(first)) = (watch.start(), watch.changes().next()) else { continue };
        let wanted =
            log.revisions.range(start..).find(|(_, changes)| changes.values().any(|change| watch.wants(change)));
        let Some((wanted, _)) = wanted else { continue };
        if *wanted != first.kv.mod_revision {
            found.push(format!(
                "the watch of {:?} from {start} began at {} instead of {wanted}",
                watch.interval, first.kv.mod_revision
            ));
        }
    }
    found
}
