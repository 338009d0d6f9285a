//! What is reported of a series, in one list for the table and for JSON.

use crate::compare::Round;

/// One reported number.
pub(super) struct Metric {
    /// Its name in JSON; the unit is last.
    pub(super) name: &'static str,
    /// Its row in the table.
    pub(super) title: &'static str,
    pub(super) decimals: usize,
    pub(super) of: fn(&Round) -> f64,
}

const MIB: f64 = 1024.0 * 1024.0;

/// In the order of the table.
pub(super) const METRICS: [Metric; 9] = [
    Metric { name: "throughput_per_s", title: "requests/s", decimals: 0, of: |round| round.measurement.throughput() },
    Metric { name: "latency_p50_ms", title: "p50, ms", decimals: 3, of: |round| round.measurement.latency_ms(0.5) },
    Metric { name: "latency_p99_ms", title: "p99, ms", decimals: 3, of: |round| round.measurement.latency_ms(0.99) },
    Metric {
        name: "latency_p999_ms",
        title: "p99.9, ms",
        decimals: 3,
        of: |round| round.measurement.latency_ms(0.999),
    },
    Metric {
        name: "server_cpu_us",
        title: "server CPU a request, µs",
        decimals: 1,
        of: |round| round.measurement.server_cpu_us(),
    },
    Metric {
        name: "generator_cpu_us",
        title: "generator CPU a request, µs",
        decimals: 1,
        of: |round| round.measurement.generator_cpu_us(),
    },
    Metric {
        name: "peak_memory_mib",
        title: "peak memory, MiB",
        decimals: 0,
        of: |round| round.peak_memory_bytes as f64 / MIB,
    },
    Metric { name: "disk_mib", title: "disk, MiB", decimals: 0, of: |round| round.disk_bytes as f64 / MIB },
    Metric { name: "start_ms", title: "start to first answer, ms", decimals: 0, of: |round| round.start_ms },
];
