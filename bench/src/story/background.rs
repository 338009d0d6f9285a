//! What a put waits while the store works on itself: puts at a fixed rate, alone and beside each kind of work, which is
//! started again as soon as it is done.

use std::time::Duration;

use super::Stage;
use crate::compare::{RoundError, Values};
use crate::server::Running;
use crate::wire::Method;
use crate::workload::{
    Answer, COMPACT, Client, DEFRAGMENT, FILLED_VALUE_BYTES, Group, RANGE, RESOURCE, SNAPSHOT, WrongReply, anywhere,
    ask, compact, get, header_revision,
};

const KEYS: u64 = 100_000;
/// Rewrites before, so that there is something to compact.
const REWRITES: u64 = 2;
/// Far below what either server can do: what is measured is the wait, not the capacity.
const PUTS_PER_S: f64 = 1_000.0;
const PUT_CLIENTS: usize = 200;
const PUT_CONNECTIONS: usize = 10;
const COMPACTIONS_PER_S: f64 = 10.0;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURE: Duration = Duration::from_secs(5);

pub(super) fn tell(stage: &Stage<'_>) -> Result<Values, RoundError> {
    let server = stage.start()?;
    for _ in 0..=REWRITES {
        stage.fill(&server, KEYS, FILLED_VALUE_BYTES)?;
    }
    let revision = KEYS * (REWRITES + 1) + 1;
    let idle = puts_p99_ms(&server, None)?;
    let mut values = Values::from([("p99_idle_ms", idle)]);
    let compacting = Compacting { next: revision, compacted: 0 };
    let compacting = Group { rate: Some(COMPACTIONS_PER_S), ..alone(Box::new(compacting)) };
    let compacted = puts_p99_ms(&server, Some(compacting))?;
    values.extend([("p99_compacting_ms", compacted), ("compacting_to_idle", compacted / idle)]);
    let defragment = ask(DEFRAGMENT, u64::MAX, |_| {}, |_| Ok(Answer::Done(0)));
    let defragmented = puts_p99_ms(&server, Some(alone(defragment)))?;
    values.extend([("p99_defragmenting_ms", defragmented), ("defragmenting_to_idle", defragmented / idle)]);
    let snapshot = ask(SNAPSHOT, u64::MAX, |_| {}, |_| Ok(Answer::Part(0)));
    let snapshotted = puts_p99_ms(&server, Some(alone(snapshot)))?;
    values.extend([("p99_snapshotting_ms", snapshotted), ("snapshotting_to_idle", snapshotted / idle)]);
    Ok(values)
}

fn alone(client: Box<dyn Client>) -> Group {
    Group::closed_loop(vec![client], 1)
}

fn puts_p99_ms(server: &Running, beside: Option<Group>) -> Result<f64, RoundError> {
    let count = u64::try_from(PUT_CLIENTS).expect("invariant: a small number");
    let puts = (0..count).map(|index| anywhere(RESOURCE, KEYS, FILLED_VALUE_BYTES, index)).collect();
    let mut groups = vec![Group { clients: puts, connections: PUT_CONNECTIONS, rate: Some(PUTS_PER_S) }];
    groups.extend(beside);
    Ok(server.load(groups, WARM_UP, MEASURE)?.latency_ms(0.99))
}

/// Compacts what was written so far, again and again. A revision may be compacted once only, so in between it asks how far
/// the store is until that has changed.
struct Compacting {
    next: u64,
    compacted: u64,
}

impl Client for Compacting {
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method> {
        if self.next > self.compacted {
            self.compacted = self.next;
            compact(message, self.next);
            return Some(COMPACT);
        }
        get(message, b"/registry/health");
        Some(RANGE)
    }

    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply> {
        self.next = header_revision(message)?;
        Ok(Answer::Done(0))
    }
}
