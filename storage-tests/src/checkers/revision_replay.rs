//! Every answer is what the log says at its revision: the content of each read, the former versions of each write, and
//! whether a guard held. A read at an old revision gives the same answer for ever.

use super::attribution::holds;
use crate::history::{History, Kv, Log, Operation, Outcome, Request, State, Write};

pub(super) fn check(history: &History, log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    let mut questions: Vec<(i64, &Operation)> = Vec::new();
    for operation in &history.operations {
        let Some(revision) = operation.revision() else { continue };
        match &operation.request {
            Request::Read(read) => {
                questions.push((if read.revision > 0 { read.revision } else { revision }, operation))
            }
            // Judged on the state before it, or on the one that it left as it was.
            Request::Write(_) => questions.push((revision - i64::from(operation.acknowledged().is_some()), operation)),
            Request::Compact(_) | Request::Grant { .. } | Request::Revoke(_) => {}
        }
    }
    questions.sort_by_key(|(revision, _)| *revision);
    let revisions: Vec<i64> = questions.iter().map(|(revision, _)| *revision).collect();
    log.replay(&revisions, |number, state| {
        let Some((revision, operation)) = questions.get(number) else { return };
        if *revision <= log.last()
            && let Some(wrong) = wrong(state, operation, log)
        {
            found.push(format!("at revision {revision}: {wrong}: {operation:?}"));
        }
    });
    found
}

fn wrong(state: &State, operation: &Operation, log: &Log) -> Option<String> {
    match (&operation.request, &operation.outcome) {
        (Request::Read(read), Outcome::Found { kvs, count, more, .. }) => {
            let all: Vec<&Kv> = state.range(read).collect();
            let shown = if read.limit == 0 { all.len() } else { all.len().min(read.limit) };
            let right = *count == all.len() as i64 && *more == (shown < all.len());
            (!right || !kvs.iter().eq(all.iter().take(shown).copied())).then(|| format!("the log has {all:?}"))
        }
        (Request::Write(write), Outcome::Written { succeeded, previous, revision }) => {
            if holds(state, write) != *succeeded {
                return Some(format!("the guard was judged wrongly; the log has {:?}", guarded(state, write)));
            }
            if !succeeded {
                return None;
            }
            let before: Vec<Option<&Kv>> = write.ops.iter().map(|op| state.get(op.key())).collect();
            if !previous.iter().map(Option::as_ref).eq(before.iter().copied()) {
                return Some(format!("the former versions were {before:?}"));
            }
            let acknowledged = operation.acknowledged();
            acknowledged
                .filter(|(_, ops)| *revision <= log.last() && !log.is(*revision, ops))
                .map(|_| format!("the log has {:?} at {revision}", log.revisions.get(revision)))
        }
        _ => None,
    }
}

fn guarded<'a>(state: &'a State, write: &Write) -> Option<&'a Kv> {
    write.guard.as_ref().and_then(|(key, _)| state.get(key))
}
