//! Durability: what was acknowledged, and what anybody has read, is in the log, whatever happened to the process since.

use crate::history::{History, Log, Outcome};
use std::collections::BTreeSet;

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    let mut read: BTreeSet<i64> = BTreeSet::new();
    for operation in &history.operations {
        if let Some((revision, _)) = operation.acknowledged()
            && !log.revisions.contains_key(&revision)
        {
            found.push(format!("acknowledged, and lost: {operation:?}"));
        }
        if let Outcome::Found { kvs, .. } = &operation.outcome {
            read.extend(kvs.iter().map(|kv| kv.mod_revision));
        }
    }
    let lost = read.into_iter().filter(|revision| !log.revisions.contains_key(revision));
    found.extend(lost.map(|revision| format!("read, and lost: revision {revision}")));
    found
}
