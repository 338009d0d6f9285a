//! Compaction: what lies below a compaction that was acknowledged is refused from then on, also after a restart; nothing is
//! refused that no compaction asked for; a watch is told a compact revision that lies above its start.

use crate::history::{History, Log, Outcome, Request, Response};

/// etcd's text.
const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";

pub(super) fn check(history: &History, _log: &Log) -> Vec<String> {
    let mut found = Vec::new();
    // Acknowledged: since when, up to where. Asked for: since when, up to where.
    let mut done: Vec<(u64, i64)> = Vec::new();
    let mut asked: Vec<(u64, i64)> = Vec::new();
    for operation in &history.operations {
        let Request::Compact(revision) = operation.request else { continue };
        match operation.outcome {
            Outcome::Done { .. } => {
                done.push((operation.returned_ns, revision));
                asked.push((operation.called_ns, revision));
            }
            Outcome::Unknown => asked.push((operation.called_ns, revision)),
            _ => {}
        }
    }
    let highest = |of: &[(u64, i64)], before_ns: u64| {
        of.iter().filter(|(since_ns, _)| *since_ns < before_ns).map(|(_, revision)| *revision).max().unwrap_or(0)
    };
    for operation in &history.operations {
        let Request::Read(read) = &operation.request else { continue };
        if read.revision == 0 {
            continue;
        }
        match &operation.outcome {
            Outcome::Found { .. } if read.revision < highest(&done, operation.called_ns) => {
                let compacted = highest(&done, operation.called_ns);
                found.push(format!("read below the compaction at {compacted}: {operation:?}"));
            }
            Outcome::Refused(text) if text == COMPACTED && read.revision >= highest(&asked, operation.returned_ns) => {
                found.push(format!("refused, and no compaction asked for it: {operation:?}"));
            }
            _ => {}
        }
    }
    for watch in &history.watches {
        for response in &watch.responses {
            if let Response::Compacted { compact_revision } = response
                && watch.start().is_some_and(|start| *compact_revision <= start.max(watch.end()))
            {
                found.push(format!("ended by the compaction at {compact_revision}: {:?}", watch.interval));
            }
        }
    }
    found
}
