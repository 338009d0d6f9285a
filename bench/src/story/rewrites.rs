//! What the disk holds when every key was rewritten many times and the old versions were compacted: alone, and after
//! defragmentation, without which etcd gives nothing back.

use std::time::{Duration, Instant};

use super::Stage;
use crate::compare::{RoundError, Values};
use crate::server::Running;
use crate::workload::{Answer, COMPACT, DEFRAGMENT, FILLED_VALUE_BYTES, Group, ask, compact, header_revision};

const KEYS: u64 = 100_000;
const REWRITES: u64 = 10;
/// The disk has settled when it has not changed for so long, or after the patience.
const UNCHANGED: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn tell(stage: &Stage<'_>) -> Result<Values, RoundError> {
    let server = stage.start()?;
    let mut peak_mib: f64 = 0.0;
    for _ in 0..=REWRITES {
        stage.fill(&server, KEYS, FILLED_VALUE_BYTES)?;
        peak_mib = peak_mib.max(server.disk_mib()?);
    }
    let mut values = Values::from([("disk_written_mib", peak_mib)]);
    // Every put was a revision of its own, and the first revision of an empty store is 1.
    let revision = KEYS * (REWRITES + 1) + 1;
    let write = move |message: &mut Vec<u8>| compact(message, revision);
    let read = |message: &[u8]| header_revision(message).map(|_| Answer::Done(1));
    server.exhaust(vec![Group::closed_loop(vec![ask(COMPACT, 1, write, read)], 1)])?;
    values.insert("disk_compacted_mib", settled_mib(&server)?);
    let defragment = ask(DEFRAGMENT, 1, |_| {}, |_| Ok(Answer::Done(1)));
    server.exhaust(vec![Group::closed_loop(vec![defragment], 1)])?;
    values.insert("disk_defragmented_mib", settled_mib(&server)?);
    values.insert("memory_mib", server.resident_mib()?);
    Ok(values)
}

fn settled_mib(server: &Running) -> Result<f64, RoundError> {
    let start = Instant::now();
    let mut last = (server.disk_mib()?, Instant::now());
    while last.1.elapsed() < UNCHANGED && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(500));
        let now_mib = server.disk_mib()?;
        if now_mib != last.0 {
            last = (now_mib, Instant::now());
        }
    }
    Ok(last.0)
}
