//! A program that we started, and the promise that it ends with us.
//!
//! Each program runs in its own process group, so that Ctrl-C at the terminal reaches only us and we stop the others in
//! an orderly way: SIGTERM to the group, SIGKILL to what is left after five seconds (an API server with open watches may
//! take longer than ten to end by itself).

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to end after SIGTERM.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
/// How often a stopping program is looked at.
const STOP_LOOK_EVERY: Duration = Duration::from_millis(20);
/// How much of a log goes into an error message.
const LOG_TAIL_LINES: usize = 12;

/// Every program of this process that may still run, in order of start; what is dropped leaves a dead weak pointer.
static STARTED: Mutex<Vec<Weak<Mutex<Child>>>> = Mutex::new(Vec::new());
/// The exit code of this process when a signal ends it.
static SIGNAL_EXIT_CODE: AtomicI32 = AtomicI32::new(130);

/// Why a program could not be started, or ended when it should not have.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The operating system refused to start it.
    #[error("cannot start {program}: {source}; check that the file exists and is executable")]
    Start { program: String, source: std::io::Error },
    /// Its log file could not be made.
    #[error("cannot write the log file {path}: {source}; check the permissions of its folder")]
    Log { path: PathBuf, source: std::io::Error },
    /// It ended by itself.
    #[error("{name} ended with {status}; the end of its log {log}:\n{tail}")]
    Ended { name: String, status: ExitStatus, log: PathBuf, tail: String },
}

/// A running program. Dropping it stops it and waits for its end (at most five seconds, then it is killed).
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Arc<Mutex<Child>>,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts `command` under the name `name`, both outputs appended to the file `log`.
    ///
    /// # Errors
    /// [`ProcessError::Log`] and [`ProcessError::Start`].
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Process, ProcessError> {
        let log_error = |source| ProcessError::Log { path: log.to_owned(), source };
        let output = File::options().create(true).append(true).open(log).map_err(log_error)?;
        let errors = output.try_clone().map_err(log_error)?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
        // The list is locked over the start, so that a signal between the start and the entry misses nothing.
        let mut started = locked(&STARTED);
        let child = command.spawn().map_err(|source| ProcessError::Start {
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        })?;
        let pid = child.id();
        let child = Arc::new(Mutex::new(child));
        started.retain(|entry| entry.strong_count() > 0);
        started.push(Arc::downgrade(&child));
        Ok(Process { name: name.to_owned(), child, pid, log: log.to_owned() })
    }

    /// The process id, which is also the id of its group.
    pub fn id(&self) -> u32 {
        self.pid
    }

    /// The name that was given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that holds both outputs.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its exit status when it has ended.
    pub fn exited(&self) -> Option<ExitStatus> {
        // An error means that nobody can wait for it any more, which only happens after its end was seen.
        locked(&self.child).try_wait().ok().flatten()
    }

    /// Checks that it still runs.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] with the last lines of its log.
    pub fn check(&self) -> Result<(), ProcessError> {
        match self.exited() {
            None => Ok(()),
            Some(status) => Err(ProcessError::Ended {
                name: self.name.clone(),
                status,
                log: self.log.clone(),
                tail: log_tail(&self.log),
            }),
        }
    }

    /// `kill -9`, and waits for the end: what a power cut leaves of a process.
    pub fn kill(&self) {
        let mut child = locked(&self.child);
        signal(&mut child, Signal::KILL);
        // The only error is that it was waited for already.
        let _ = child.wait();
    }

    /// Stops it as dropping does. Blocks for at most five seconds.
    pub fn stop(&self) {
        stop_together(std::slice::from_ref(&self.child));
    }

    /// Stops all of `processes` at once: the wait is that of the slowest, not the sum.
    pub fn stop_all<'a>(processes: impl IntoIterator<Item = &'a Process>) {
        let children: Vec<_> = processes.into_iter().map(|process| process.child.clone()).collect();
        stop_together(&children);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP stop everything that was started by [`Process::start`] and end this process
/// (exit code 130, or what [`on_signal_exit_with`] said). Calling it again changes nothing.
pub fn stop_everything_on_signals() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(wait_for_signal)
            .map(drop)
            .unwrap_or_else(|error| tracing::warn!(%error, "no thread for signals: Ctrl-C leaves programs running"));
    });
}

/// Sets the exit code with which a signal ends this process after [`stop_everything_on_signals`].
pub fn on_signal_exit_with(code: i32) {
    SIGNAL_EXIT_CODE.store(code, Ordering::Relaxed);
}

fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let streams = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = streams else { return };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        // Held to the end of this process: nothing new can be started.
        let started = locked(&STARTED);
        let children: Vec<_> = started.iter().filter_map(Weak::upgrade).collect();
        eprintln!("\nstopping {} programs", children.len());
        stop_together(&children);
        std::process::exit(SIGNAL_EXIT_CODE.load(Ordering::Relaxed));
    });
}

/// Asks all to end, last started first, then waits for all, then kills the rest.
fn stop_together(children: &[Arc<Mutex<Child>>]) {
    for child in children.iter().rev() {
        signal(&mut locked(child), Signal::TERM);
    }
    let start = Instant::now();
    loop {
        let running = children.iter().any(|child| matches!(locked(child).try_wait(), Ok(None)));
        if !running {
            return;
        }
        if start.elapsed() >= STOP_PATIENCE {
            break;
        }
        std::thread::sleep(STOP_LOOK_EVERY);
    }
    for child in children {
        let mut child = locked(child);
        signal(&mut child, Signal::KILL);
        let _ = child.wait();
    }
}

/// Sends `signal` to the child's group, unless the child has ended and was waited for (its id may be someone else's now).
fn signal(child: &mut Child, signal: Signal) {
    if !matches!(child.try_wait(), Ok(None)) {
        return;
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It can only fail when the group has just ended.
        let _ = kill_process_group(pid, signal);
    }
}

/// A panic of another thread leaves a `Child` usable: there is nothing half-done in it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last lines of a log file, for an error message.
pub(crate) fn log_tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}

/// A command with arguments, for the many places that build one.
pub(crate) fn command(program: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> (Process, PathBuf) {
        let log = std::env::temp_dir().join(format!("archipel-process-{}-{}", std::process::id(), script.len()));
        (Process::start("sh", command(Path::new("/bin/sh"), ["-c", script]), &log).unwrap(), log)
    }

    fn alive(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn dropping_stops_the_whole_group() {
        let (process, log) = shell("sleep 1000 & echo $!; wait");
        let start = Instant::now();
        let inner = loop {
            let text = std::fs::read_to_string(&log).unwrap();
            if let Ok(pid) = text.trim().parse::<u32>() {
                break pid;
            }
            assert!(start.elapsed() < STOP_PATIENCE, "the shell printed nothing");
            std::thread::sleep(STOP_LOOK_EVERY);
        };
        let outer = process.id();
        drop(process);
        assert!(!alive(outer), "the shell is gone and was waited for");
        // The inner one is adopted by init, which may take a moment to collect it.
        let gone = (0..100).any(|_| {
            std::thread::sleep(STOP_LOOK_EVERY);
            let state = std::fs::read_to_string(format!("/proc/{inner}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        });
        assert!(gone, "the shell's own child got the signal too");
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn an_early_end_is_reported_with_the_log() {
        let (process, log) = shell("echo no such flag >&2; exit 3");
        let start = Instant::now();
        while process.exited().is_none() && start.elapsed() < STOP_PATIENCE {
            std::thread::sleep(STOP_LOOK_EVERY);
        }
        let message = process.check().unwrap_err().to_string();
        assert!(message.contains("no such flag") && message.contains("exit status: 3"), "{message}");
        std::fs::remove_file(log).unwrap();
    }
}
