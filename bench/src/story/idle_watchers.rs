//! What a watcher costs that sees nothing happen, in memory.

use std::time::Duration;

use super::{SETTLE, Stage};
use crate::compare::{RoundError, Values};
use crate::server::Running;
use crate::workload::{Group, Watching, watchers};

const STREAMS: u64 = 10;
const WATCHERS_OF_A_STREAM: u64 = 1_000;
/// The memory is read at the end of this.
const HOLD: Duration = Duration::from_millis(100);
const MIB: f64 = 1024.0 * 1024.0;

pub(super) fn tell(stage: &Stage<'_>) -> Result<Values, RoundError> {
    let server = stage.start()?;
    // One watcher on each stream first: what connections and streams cost is not a watcher's.
    let before = hold(&server, 1)?;
    let after = hold(&server, WATCHERS_OF_A_STREAM)?;
    let count = (STREAMS * (WATCHERS_OF_A_STREAM - 1)) as f64;
    Ok(Values::from([("idle_watcher_bytes", ((after - before) * MIB / count).max(0.0))]))
}

/// The server's memory, in MiB, while so many watchers stand on each stream.
fn hold(server: &Running, watchers_of_a_stream: u64) -> Result<f64, RoundError> {
    let streams = (0..STREAMS).map(|stream| watchers(Watching::Nothing, stream, watchers_of_a_stream)).collect();
    let group = Group::closed_loop(streams, usize::try_from(STREAMS).expect("invariant: a small number"));
    let measurement = server.load(vec![group], SETTLE, HOLD)?;
    Ok(measurement.server_memory_mib)
}
