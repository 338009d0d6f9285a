//! The fields of events: the version is the one that the log gives, a former version is the one before, it is there for
//! everything that is not a creation, and a creation is known by equal revisions.

use crate::history::{Change, History, Kv, Log, Outcome, Request, State, Watch};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    // A former version may be gone if a compaction has asked for it to go.
    let compactions =
        history.operations.iter().filter_map(|operation| match (&operation.request, &operation.outcome) {
            (Request::Compact(revision), Outcome::Done { .. } | Outcome::Unknown) => Some(*revision),
            _ => None,
        });
    let compacted = compactions.max().unwrap_or(0);
    let mut questions: Vec<(i64, &Watch, &Change)> = history
        .watches
        .iter()
        .flat_map(|watch| watch.changes().map(move |change| (change.kv.mod_revision - 1, watch, change)))
        .collect();
    questions.sort_by_key(|(revision, ..)| *revision);
    let revisions: Vec<i64> = questions.iter().map(|(revision, ..)| *revision).collect();
    log.replay(&revisions, |number, before| {
        let Some((_, watch, change)) = questions.get(number) else { return };
        if let Some(wrong) = wrong(before, watch, change, compacted) {
            found.push(format!("{wrong}: {change:?} on the watch of {:?}", watch.interval));
        }
    });
    found
}

fn wrong(before: &State, watch: &Watch, change: &Change, compacted: i64) -> Option<String> {
    let kv = &change.kv;
    let former = before.get(&kv.key);
    if change.delete {
        let plain = Kv { key: kv.key.clone(), mod_revision: kv.mod_revision, ..Kv::default() };
        if *kv != plain {
            return Some("a delete carries more than key and revision".into());
        }
        if former.is_none() {
            return Some("a delete of nothing".into());
        }
    } else {
        let created = former.map_or(kv.mod_revision, |former| former.create_revision);
        let version = former.map_or(1, |former| former.version + 1);
        if (kv.create_revision, kv.version) != (created, version) {
            return Some(format!("created at {created}, version {version} by the log"));
        }
    }
    match (&change.previous, former) {
        (Some(_), _) if !watch.prev_kv => Some("a former version that was not asked for".into()),
        (None, Some(_)) if kv.mod_revision <= compacted => None,
        (previous, former) if watch.prev_kv && previous.as_ref() != former => Some(format!("before it was {former:?}")),
        _ => None,
    }
}
