//! Watch, Bookmarkable: a notification at a revision says that everything up to it has been shown. A notification that comes
//! too early makes a client resume too late, and lose events for good (etcd issues 15220 and 20221).

use crate::history::{History, Log, Response};
use std::collections::BTreeSet;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for watch in &history.watches {
        let Some(start) = watch.start() else { continue };
        let mut shown: BTreeSet<(i64, &str)> = BTreeSet::new();
        let (mut bookmark, mut checked) = (0, start - 1);
        for response in &watch.responses {
            match response {
                Response::Events { changes, .. } => {
                    for change in changes {
                        let revision = change.kv.mod_revision;
                        if revision <= bookmark {
                            found.push(format!("an event at {revision} after a notification at {bookmark}"));
                        }
                        shown.insert((revision, change.kv.key.as_str()));
                    }
                }
                Response::Progress { revision } => {
                    if *revision < bookmark {
                        found.push(format!("a notification at {revision} after one at {bookmark}"));
                    }
                    if *revision < start - 1 {
                        found.push(format!("a notification at {revision} for a watch that starts at {start}"));
                    }
                    bookmark = bookmark.max(*revision);
                    let due = log.revisions.range((checked + 1).min(bookmark + 1)..bookmark + 1);
                    let missing = due.flat_map(|(revision, changes)| {
                        changes.values().filter(|change| watch.wants(change)).map(move |change| (*revision, change))
                    });
                    for (revision, change) in missing {
                        if !shown.contains(&(revision, change.kv.key.as_str())) {
                            found.push(format!("a notification at {bookmark} before the event at {revision}"));
                        }
                    }
                    checked = checked.max(bookmark);
                }
                Response::Created { .. } | Response::Compacted { .. } => {}
            }
        }
    }
    found
}
