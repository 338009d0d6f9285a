//! A cgroup with a memory limit, of version 1 or 2, whichever this machine lets us make.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where each version is mounted, the file of its limit, of its peak and of its out-of-memory count.
const VERSIONS: [(&str, &str, &str, &str); 2] = [
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
    ("/sys/fs/cgroup", "memory.max", "memory.peak", "memory.events"),
];
const PREFIX: &str = "archipel-bench-";

/// The group; dropping it removes it, which works once its processes have ended.
#[derive(Debug)]
pub(crate) struct Cage {
    path: PathBuf,
    peak: &'static str,
    events: &'static str,
}

impl Cage {
    /// Makes a group with `bytes` of memory; `None` when that is not permitted here.
    pub(crate) fn new(bytes: u64) -> Option<Cage> {
        VERSIONS.iter().find_map(|(root, limit, peak, events)| {
            let path = Path::new(root).join(format!("{PREFIX}{}", std::process::id()));
            std::fs::create_dir_all(&path).ok()?;
            let cage = Cage { path, peak, events };
            let file = cage.path.join(limit);
            (file.exists() && std::fs::write(file, bytes.to_string()).is_ok()).then_some(cage)
        })
    }

    /// The same command within this group: a shell joins it and becomes the program.
    pub(super) fn around(&self, command: &Command) -> Command {
        let mut within = Command::new("sh");
        within.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]).arg(self.path.join("cgroup.procs"));
        within.arg(command.get_program()).args(command.get_args());
        within
    }

    /// The most memory that the group used, page cache included, in MiB.
    pub(crate) fn peak_mib(&self) -> Option<f64> {
        let bytes: f64 = std::fs::read_to_string(self.path.join(self.peak)).ok()?.trim().parse().ok()?;
        Some(bytes / 1024.0 / 1024.0)
    }

    /// How many processes the kernel killed for want of memory.
    pub(crate) fn kills(&self) -> u64 {
        let text = std::fs::read_to_string(self.path.join(self.events)).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        // A group that still has processes stays; it costs nothing and the next start of the machine removes it.
        let _ = std::fs::remove_dir(&self.path);
    }
}
