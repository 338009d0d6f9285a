//! What is reported, in one list for the table, for JSON and for the charts.

use crate::compare::Series;

/// One reported number.
pub(crate) struct Metric {
    /// Its name in a round's values and in JSON; the unit is last.
    pub(crate) name: &'static str,
    /// Its row in the table; `{unit}` is that of the workload.
    pub(crate) title: &'static str,
    pub(crate) decimals: usize,
}

const fn metric(name: &'static str, title: &'static str, decimals: usize) -> Metric {
    Metric { name, title, decimals }
}

/// In the order of the table.
pub(crate) const METRICS: [Metric; 40] = [
    metric("throughput_per_s", "{unit}s/s", 0),
    metric("latency_p50_ms", "p50, ms", 3),
    metric("latency_p99_ms", "p99, ms", 3),
    metric("latency_p999_ms", "p99.9, ms", 3),
    metric("server_cpu_us", "server CPU a {unit}, µs", 1),
    metric("generator_cpu_us", "generator CPU a {unit}, µs", 1),
    metric("sync_p50_ms", "fdatasync p50, ms", 3),
    metric("sync_p99_ms", "fdatasync p99, ms", 3),
    metric("peak_memory_mib", "peak memory, MiB", 0),
    metric("start_ms", "start to first answer, ms", 0),
    metric("idle_watcher_bytes", "memory of an idle watcher, B", 0),
    metric("p99_idle_ms", "put p99 alone, ms", 2),
    metric("p99_compacting_ms", "put p99, compactions, ms", 2),
    metric("compacting_to_idle", "  against alone", 1),
    metric("p99_defragmenting_ms", "put p99, defragmenting, ms", 2),
    metric("defragmenting_to_idle", "  against alone", 1),
    metric("p99_snapshotting_ms", "put p99, snapshots, ms", 2),
    metric("snapshotting_to_idle", "  against alone", 1),
    metric("load_per_s", "load, keys/s", 0),
    metric("page_ms", "page of 500, ms", 3),
    metric("page_small_ms", "the same among 10,000, ms", 3),
    metric("page_growth", "  against each other", 2),
    metric("count_ms", "count, ms", 3),
    metric("count_small_ms", "the same among 10,000, ms", 3),
    metric("count_growth", "  against each other", 2),
    metric("memory_mib", "memory, MiB", 0),
    metric("memory_peak_mib", "peak memory, MiB", 0),
    metric("restart_ms", "kill -9 to first answer, ms", 0),
    metric("memory_restarted_mib", "memory after restart, MiB", 0),
    metric("memory_restarted_peak_mib", "peak after restart, MiB", 0),
    metric("disk_mib", "disk, MiB", 0),
    metric("disk_written_mib", "disk before compaction, MiB", 0),
    metric("disk_compacted_mib", "disk after compaction, MiB", 0),
    metric("disk_defragmented_mib", "disk after defragment, MiB", 0),
    metric("served_within_limit", "served within the limit", 0),
    metric("killed_for_memory", "killed for memory", 0),
    metric("cgroup_peak_mib", "cgroup's peak, MiB", 0),
    metric("floor_ms", "fdatasync + null p50, ms", 3),
    metric("p50_to_floor", "p50 against that", 2),
    metric("cpu_to_null", "server CPU against null", 2),
];

/// The metric of each round; `None` for a series that counts for nothing or does not have it.
pub(crate) fn values(series: &Series, name: &str) -> Option<Vec<f64>> {
    if series.void.is_some() || series.rounds.is_empty() {
        return None;
    }
    series.rounds.iter().map(|round| round.get(name).copied()).collect()
}
