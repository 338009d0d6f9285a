//! Processor time and memory of a process, as Linux counts them.

use std::io::{Error, ErrorKind};
use std::time::Duration;

/// The unit of /proc/PID/stat. It is a hundredth of a second on every architecture that Rust's Linux targets have
/// (USER_HZ is part of the kernel's interface, whatever the kernel's own tick is).
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process so far, all its threads together, in steps of 10 ms.
///
/// # Errors
/// The process has ended.
pub(super) fn of_process(pid: u32) -> std::io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    ticks(&stat).map(|ticks| TICK * ticks).ok_or_else(|| Error::new(ErrorKind::InvalidData, "/proc/PID/stat"))
}

/// Fields 14 and 15, counted after the name, which may hold blanks and brackets.
fn ticks(stat: &str) -> Option<u32> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

/// The time that this thread has run, in nanoseconds where the kernel keeps them.
///
/// # Errors
/// `/proc` is not there.
pub(super) fn of_this_thread() -> std::io::Result<Duration> {
    if let Ok(schedule) = std::fs::read_to_string("/proc/thread-self/schedstat")
        && let Some(nanoseconds) = schedule.split_ascii_whitespace().next().and_then(|text| text.parse().ok())
    {
        return Ok(Duration::from_nanos(nanoseconds));
    }
    let stat = std::fs::read_to_string("/proc/thread-self/stat")?;
    ticks(&stat).map(|ticks| TICK * ticks).ok_or_else(|| Error::new(ErrorKind::InvalidData, "/proc/thread-self/stat"))
}

/// A line of /proc/PID/status that counts kB, such as `VmRSS`, in MiB.
///
/// # Errors
/// The process has ended.
pub(crate) fn memory_mib(pid: u32, name: &str) -> std::io::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kibibytes = kibibytes_in(&status, name);
    kibibytes.map(|kibibytes| kibibytes / 1024.0).ok_or_else(|| Error::new(ErrorKind::InvalidData, "/proc/PID/status"))
}

fn kibibytes_in(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_brackets_moves_no_field() {
        let stat = "17 (a (b) c d) S 1 17 17 0 -1 4194304 9 9 9 9 120 34 5 6 20 0 3 0 99 1 1";
        assert_eq!(ticks(stat), Some(154));
        assert_eq!(ticks("17 (cut"), None);
    }

    #[test]
    fn memory_is_read_from_its_line() {
        let status = "VmPeak:\t  9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n";
        assert_eq!(kibibytes_in(status, "VmHWM"), Some(2048.0));
        assert_eq!(kibibytes_in("VmRSS: 1 kB\n", "VmHWM"), None);
    }

    #[test]
    fn our_own_time_can_be_read() {
        of_this_thread().unwrap();
        of_process(std::process::id()).unwrap();
    }
}
