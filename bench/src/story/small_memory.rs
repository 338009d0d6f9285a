//! More live data than memory: 2 GiB in a cgroup of 512 MiB. The kernel kills what does not fit.

use std::time::Duration;

use super::Stage;
use crate::compare::{RoundError, Values};
use crate::server::{Cage, Running};
use crate::workload::{Group, RESOURCE, sample};

const LIMIT_BYTES: u64 = 512 << 20;
const VALUE_BYTES: usize = 4_096;
const KEYS: u64 = (2 << 30) / 4_096;
const READ_CLIENTS: u64 = 100;
const READ_CONNECTIONS: usize = 10;
const READ: Duration = Duration::from_secs(10);

pub(super) fn tell(stage: &Stage<'_>) -> Result<Values, RoundError> {
    let cage = Cage::new(LIMIT_BYTES).ok_or(RoundError::Skipped("no cgroup with a memory limit may be made here"))?;
    let mut server = Running::start_within(stage.program, stage.folder, Some(cage))?;
    let mut values = Values::from([("load_per_s", stage.fill(&server, KEYS, VALUE_BYTES)?)]);
    read(&server, &mut values)?;
    values.insert("disk_mib", server.disk_mib()?);
    server.crash_and_restart()?;
    values.insert("restart_ms", server.started_in_ms());
    values.insert("memory_restarted_peak_mib", server.peak_memory_mib()?);
    server.check()?;
    if let Some(cage) = server.cage() {
        values.insert("killed_for_memory", cage.kills() as f64);
        values.extend(cage.peak_mib().map(|mib| ("cgroup_peak_mib", mib)));
    }
    values.insert("served_within_limit", 1.0);
    Ok(values)
}

/// Random gets: nearly all of them are not in memory.
fn read(server: &Running, values: &mut Values) -> Result<(), RoundError> {
    let clients = (0..READ_CLIENTS).map(|index| sample(RESOURCE, KEYS, VALUE_BYTES, index)).collect();
    let measurement = server.load(vec![Group::closed_loop(clients, READ_CONNECTIONS)], Duration::from_secs(1), READ)?;
    values.extend([("throughput_per_s", measurement.throughput()), ("latency_p99_ms", measurement.latency_ms(0.99))]);
    Ok(())
}
