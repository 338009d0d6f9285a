//! One server with a folder of its own, for one measurement.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use archipel::demo::kubernetes::{Process, ProcessError, free_port};

use super::cage::Cage;
use super::folder::{Folder, disk_bytes};
use super::found::Found;
use crate::load::{LoadError, Measurement, Schedule, Target, memory_mib, run};
use crate::workload::{self, Group};

/// How long a server may take until it answers a read: recovery of a large store included.
const START_PATIENCE: Duration = Duration::from_secs(300);
/// How often a starting server is asked.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const MIB: f64 = 1024.0 * 1024.0;

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
    peer_port: u16,
    started_in: Duration,
    program: Found,
    cage: Option<Cage>,
    folder: Folder,
}

impl Running {
    /// Starts `program` on an empty folder below `parent` and waits until it answers a read.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub(crate) fn start(program: &Found, parent: &Path) -> Result<Running, StartError> {
        Running::start_within(program, parent, None)
    }

    /// The same within a cgroup.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub(crate) fn start_within(program: &Found, parent: &Path, cage: Option<Cage>) -> Result<Running, StartError> {
        let folder = Folder::new(parent)?;
        let (client_port, peer_port) = (free_port()?, free_port()?);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, client_port));
        let began = Instant::now();
        let process = spawn(program, &folder, client_port, peer_port, cage.as_ref())?;
        let program = program.clone();
        let mut server = Running { process, address, peer_port, started_in: Duration::ZERO, program, cage, folder };
        server.await_answer(began)?;
        Ok(server)
    }

    /// Kills it (signal 9), empties the kernel's cache of files if that is allowed, and starts it again on its folder.
    ///
    /// # Errors
    /// Any [`StartError`].
    pub(crate) fn crash_and_restart(&mut self) -> Result<(), StartError> {
        self.process.kill();
        drop_file_cache();
        let began = Instant::now();
        let port = self.address.port();
        self.process = spawn(&self.program, &self.folder, port, self.peer_port, self.cage.as_ref())?;
        self.await_answer(began)
    }

    fn await_answer(&mut self, began: Instant) -> Result<(), StartError> {
        while let Err(error) = self.answers() {
            self.process.check()?;
            if began.elapsed() > START_PATIENCE {
                return Err(StartError::Silent { last: error.to_string() });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        self.started_in = began.elapsed();
        Ok(())
    }

    fn answers(&self) -> Result<(), LoadError> {
        // Cheaper to find out than with a whole probe.
        TcpStream::connect(self.address).map_err(|source| LoadError::Io { address: self.address, source })?;
        self.exhaust(workload::probe()).map(drop)
    }

    /// Runs clients that end by themselves.
    ///
    /// # Errors
    /// Any [`LoadError`].
    pub(crate) fn exhaust(&self, groups: Vec<Group>) -> Result<Measurement, LoadError> {
        run(self.target(), groups, Schedule::Exhaust)
    }

    /// Runs clients for a time.
    ///
    /// # Errors
    /// Any [`LoadError`].
    pub(crate) fn load(
        &self,
        groups: Vec<Group>,
        warm_up: Duration,
        measure: Duration,
    ) -> Result<Measurement, LoadError> {
        run(self.target(), groups, Schedule::Window { warm_up, measure })
    }

    fn target(&self) -> Target {
        Target { address: self.address, pid: self.process.id() }
    }

    /// From the start of the process to its first answer, in milliseconds.
    pub(crate) fn started_in_ms(&self) -> f64 {
        self.started_in.as_secs_f64() * 1e3
    }

    /// Checks that it still runs; the error has the end of its log.
    ///
    /// # Errors
    /// [`ProcessError::Ended`].
    pub(crate) fn check(&self) -> Result<(), ProcessError> {
        self.process.check()
    }

    /// The largest resident memory so far, in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn peak_memory_mib(&self) -> std::io::Result<f64> {
        memory_mib(self.process.id(), "VmHWM")
    }

    /// The resident memory now, in MiB.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn resident_mib(&self) -> std::io::Result<f64> {
        memory_mib(self.process.id(), "VmRSS")
    }

    /// What its data folder occupies now, in MiB; nothing for a server without data.
    ///
    /// # Errors
    /// A file cannot be looked at.
    pub(crate) fn disk_mib(&self) -> std::io::Result<f64> {
        Ok(disk_bytes(&self.folder.path().join("data"))? as f64 / MIB)
    }

    /// The cgroup it runs in.
    pub(crate) fn cage(&self) -> Option<&Cage> {
        self.cage.as_ref()
    }
}

fn spawn(
    program: &Found,
    folder: &Folder,
    client_port: u16,
    peer_port: u16,
    cage: Option<&Cage>,
) -> Result<Process, StartError> {
    let mut command = Command::new(&program.path);
    command.args(program.arguments(&folder.path().join("data"), client_port, peer_port));
    if let Some(cage) = cage {
        command = cage.around(&command);
    }
    Ok(Process::start(program.name(), command, &folder.path().join("log"))?)
}

/// Makes the next start read from the disk. Only root may; who may not measures a warm start, and the plan says so.
fn drop_file_cache() {
    let _ = Command::new("sync").status();
    let _ = std::fs::write("/proc/sys/vm/drop_caches", "3");
}

/// Whether [`Running::crash_and_restart`] can empty the kernel's cache.
pub(crate) fn cold_starts() -> bool {
    std::fs::OpenOptions::new().write(true).open("/proc/sys/vm/drop_caches").is_ok()
}
