//! A store with many keys: how fast it fills, what it holds in memory, what a page of it costs, and how long it takes to
//! come back after a crash when nothing of it is in the kernel's cache.

use super::{SETTLE, Stage};
use crate::compare::{RoundError, Values};
use crate::server::Running;
use crate::workload::{Client, FILLED_VALUE_BYTES, Group, RESOURCE, count, fill, first_page};

/// A small prefix in the same store: a page of it must cost the same.
const SMALL: &str = "configmaps";
const SMALL_KEYS: u64 = 10_000;
/// How often one request is repeated; not for how long, because etcd may need seconds for one.
const REPEAT: u64 = 21;

pub(super) fn tell_100k(stage: &Stage<'_>) -> Result<Values, RoundError> {
    tell(stage, 100_000)
}

pub(super) fn tell_1m(stage: &Stage<'_>) -> Result<Values, RoundError> {
    tell(stage, 1_000_000)
}

fn tell(stage: &Stage<'_>, keys: u64) -> Result<Values, RoundError> {
    let mut server = stage.start()?;
    let mut values = Values::from([("load_per_s", stage.fill(&server, keys, FILLED_VALUE_BYTES)?)]);
    server.exhaust(fill(SMALL, 0, SMALL_KEYS, FILLED_VALUE_BYTES))?;
    std::thread::sleep(SETTLE);
    values.insert("memory_mib", server.resident_mib()?);
    values.insert("disk_mib", server.disk_mib()?);

    let page = p50_ms(&server, first_page(RESOURCE, keys, REPEAT))?;
    let page_small = p50_ms(&server, first_page(SMALL, SMALL_KEYS, REPEAT))?;
    let counted = p50_ms(&server, count(RESOURCE, keys, REPEAT))?;
    let counted_small = p50_ms(&server, count(SMALL, SMALL_KEYS, REPEAT))?;
    values.extend([("page_ms", page), ("page_small_ms", page_small), ("page_growth", page / page_small)]);
    values.extend([
        ("count_ms", counted),
        ("count_small_ms", counted_small),
        ("count_growth", counted / counted_small),
    ]);
    values.insert("memory_peak_mib", server.peak_memory_mib()?);

    server.crash_and_restart()?;
    values.insert("restart_ms", server.started_in_ms());
    // Everything that was acknowledged is there.
    server.exhaust(vec![Group::closed_loop(vec![count(RESOURCE, keys, 1)], 1)])?;
    std::thread::sleep(SETTLE);
    values.insert("memory_restarted_mib", server.resident_mib()?);
    values.insert("memory_restarted_peak_mib", server.peak_memory_mib()?);
    Ok(values)
}

fn p50_ms(server: &Running, client: Box<dyn Client>) -> Result<f64, RoundError> {
    Ok(server.exhaust(vec![Group::closed_loop(vec![client], 1)])?.latency_ms(0.5))
}
