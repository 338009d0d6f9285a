//! Where a run was made: without it a number means nothing.

use std::path::Path;

use crate::server::file_system;

/// The machine, as far as the kernel tells.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    /// The type of the file system that holds the data.
    pub(crate) file_system: String,
}

impl Machine {
    /// This machine, with `data` as the folder of the servers.
    pub(crate) fn this(data: &Path) -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let processors = read("/proc/cpuinfo");
        let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let unknown = || "unknown".to_owned();
        Machine {
            processor: processor.map_or_else(unknown, |(_, name)| name.trim().to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            file_system: file_system(data).unwrap_or_else(unknown),
        }
    }

    /// A file system in memory has no fsync to measure.
    pub(crate) fn keeps_data_in_memory(&self) -> bool {
        matches!(self.file_system.as_str(), "tmpfs" | "ramfs")
    }
}
