//! One server on an empty folder, for one measurement.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use archipel::demo::kubernetes::{Process, ProcessError, free_port};

use super::folder::{Folder, disk_bytes};
use super::found::Found;
use crate::load::{LoadError, Schedule, Target, run};
use crate::workload;

/// How long a server may take until it answers a read.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How often a starting server is asked.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Why there is no running server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error("{0}; check the folder that --dir names")]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("it does not answer a read within {} s: {last}", START_PATIENCE.as_secs())]
    Silent { last: String },
}

/// A running server. Dropping it stops it and removes its files, in this order.
#[derive(Debug)]
pub(crate) struct Running {
    process: Process,
    address: SocketAddr,
    started_in: Duration,
    folder: Folder,
}

impl Running {
    /// Starts `program` on an empty folder below `parent` and waits until it answers a read.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub(crate) fn start(program: &Found, parent: &Path) -> Result<Running, StartError> {
        let folder = Folder::new(parent)?;
        let (client_port, peer_port) = (free_port()?, free_port()?);
        let mut command = Command::new(&program.path);
        command.args(program.arguments(&folder.path().join("data"), client_port, peer_port));
        let began = Instant::now();
        let process = Process::start(program.name(), command, &folder.path().join("log"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, client_port));
        let mut server = Running { process, address, started_in: Duration::ZERO, folder };
        while let Err(error) = server.answers() {
            server.process.check()?;
            if began.elapsed() > START_PATIENCE {
                return Err(StartError::Silent { last: error.to_string() });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        server.started_in = began.elapsed();
        Ok(server)
    }

    fn answers(&self) -> Result<(), LoadError> {
        // Cheaper to find out than with a whole probe.
        TcpStream::connect(self.address).map_err(|source| LoadError::Io { address: self.address, source })?;
        run(self.target(1), workload::probe(), Schedule::Exhaust).map(drop)
    }

    /// What the load generator needs.
    pub(crate) fn target(&self, connections: usize) -> Target {
        Target { address: self.address, connections, pid: self.process.id() }
    }

    /// From the start of the process to its first answer.
    pub(crate) fn started_in(&self) -> Duration {
        self.started_in
    }

    /// Checks that it still runs; the error has the end of its log.
    ///
    /// # Errors
    /// [`ProcessError::Ended`].
    pub(crate) fn check(&self) -> Result<(), ProcessError> {
        self.process.check()
    }

    /// The largest resident memory so far, in bytes.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn peak_memory_bytes(&self) -> std::io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        peak_in(&status).ok_or_else(|| std::io::Error::other("no VmHWM in /proc/PID/status"))
    }

    /// Bytes that its data folder occupies now.
    ///
    /// # Errors
    /// A file vanished while it was looked at, or cannot be read.
    pub(crate) fn disk_bytes(&self) -> std::io::Result<u64> {
        disk_bytes(&self.folder.path().join("data"))
    }
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::peak_in;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_in("VmPeak:\t  9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2_097_152));
        assert_eq!(peak_in("VmRSS: 1 kB\n"), None);
    }
}
