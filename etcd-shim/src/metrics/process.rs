//! What Linux knows about the process, read when Prometheus asks: `process_*` as Prometheus' own client names it, and
//! etcd's `os_fd_*`.

use prometheus::{Counter, Gauge, IntGauge, Registry};
use rustix::{
    param::{clock_ticks_per_second, page_size},
    process::{Resource, getrlimit},
};
use std::fs;

/// Fields of /proc/self/stat after the name of the program, counted from 0 (proc(5)).
const USER_TICKS: usize = 11;
const SYSTEM_TICKS: usize = 12;
const START_TICKS: usize = 19;
const VIRTUAL_BYTES: usize = 20;
const RESIDENT_PAGES: usize = 21;

/// The process's own metrics.
#[derive(Clone, Debug)]
pub(super) struct ProcessMetrics {
    cpu_seconds: Counter,
    start_seconds: Gauge,
    virtual_bytes: IntGauge,
    resident_bytes: IntGauge,
    files: [IntGauge; 2],
    files_max: [IntGauge; 2],
}

impl ProcessMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<ProcessMetrics> {
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let help = "Total user and system CPU time spent in seconds.";
        let cpu_seconds = Counter::new("process_cpu_seconds_total", help)?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        let help = "Start time of the process since unix epoch in seconds.";
        let start_seconds = Gauge::new("process_start_time_seconds", help)?;
        registry.register(Box::new(start_seconds.clone()))?;
        Ok(ProcessMetrics {
            cpu_seconds,
            start_seconds,
            virtual_bytes: gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?,
            resident_bytes: gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?,
            files: [
                gauge("process_open_fds", "Number of open file descriptors.")?,
                gauge("os_fd_used", "The number of used file descriptors.")?,
            ],
            files_max: [
                gauge("process_max_fds", "Maximum number of open file descriptors.")?,
                gauge("os_fd_limit", "The file descriptor limit.")?,
            ],
        })
    }

    /// Reads what Linux says now; what cannot be read stays as it was.
    pub(super) fn read(&self) {
        if let Some(fields) = stat() {
            let field = |index: usize| fields.get(index).copied().unwrap_or(0);
            let ticks_per_s = clock_ticks_per_second().max(1) as f64;
            let cpu_s = (field(USER_TICKS) + field(SYSTEM_TICKS)) as f64 / ticks_per_s;
            self.cpu_seconds.inc_by((cpu_s - self.cpu_seconds.get()).max(0.0));
            self.start_seconds.set(boot_s().unwrap_or(0.0) + field(START_TICKS) as f64 / ticks_per_s);
            self.virtual_bytes.set(signed(field(VIRTUAL_BYTES)));
            self.resident_bytes.set(signed(field(RESIDENT_PAGES).saturating_mul(page_size() as u64)));
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            let open = i64::try_from(files.count()).unwrap_or(i64::MAX);
            self.files.iter().for_each(|gauge| gauge.set(open));
        }
        let most = signed(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX));
        self.files_max.iter().for_each(|gauge| gauge.set(most));
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The numbers of /proc/self/stat that follow the program's name, which may hold anything; what is no number counts 0.
fn stat() -> Option<Vec<u64>> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect())
}

/// When the machine started, in seconds since 1970.
fn boot_s() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_knows_itself() {
        let metrics = ProcessMetrics::register(&Registry::new()).unwrap();
        metrics.read();
        assert!(metrics.resident_bytes.get() > 1 << 20 && metrics.virtual_bytes.get() > metrics.resident_bytes.get());
        assert!(metrics.files.iter().all(|open| open.get() > 2));
        assert!(metrics.start_seconds.get() > 1.5e9);
    }
}
