//! Watch, Atomic: all events of one revision come in one response.

use crate::history::{History, Log, Response};

pub(super) fn check(history: &History, _log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    for watch in &history.watches {
        let mut before = 0;
        for response in &watch.responses {
            let Response::Events { changes, revision } = response else { continue };
            let (Some(first), Some(last)) = (changes.first(), changes.last()) else {
                found.push(format!("an empty response of events at {revision}"));
                continue;
            };
            if first.kv.mod_revision == before {
                found.push(format!("revision {before} was split over responses on the watch of {:?}", watch.interval));
            }
            if *revision < last.kv.mod_revision {
                found.push(format!("a header at {revision} with an event at {}", last.kv.mod_revision));
            }
            before = last.kv.mod_revision;
        }
    }
    found
}
