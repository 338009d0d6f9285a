//! One line that says what is going on while something takes minutes.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the line is rewritten on a terminal.
const TERMINAL_EVERY: Duration = Duration::from_millis(200);
/// How often a line is printed when standard error is a file or a pipe.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Progress of one long piece of work on standard error: rewritten in place on a terminal, a line now and then elsewhere.
#[derive(Debug)]
pub struct Progress {
    title: String,
    start: Instant,
    terminal: bool,
    printed: Mutex<Option<Instant>>,
}

impl Progress {
    /// Starts the clock of a piece of work called `title`. Nothing is printed yet.
    pub fn new(title: impl Into<String>) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        Progress { title: title.into(), start: Instant::now(), terminal, printed: Mutex::new(None) }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Says what is going on now; cheap enough to be called as often as one likes.
    pub fn update(&self, detail: &str) {
        let every = if self.terminal { TERMINAL_EVERY } else { LOG_EVERY };
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        if printed.is_some_and(|at| at.elapsed() < every) {
            return;
        }
        *printed = Some(Instant::now());
        let line = format!("{}: {} s, {detail}", self.title, self.start.elapsed().as_secs());
        let mut stderr = std::io::stderr().lock();
        // A standard error that is gone is no reason to stop the work.
        let _ = if self.terminal { write!(stderr, "\r\x1b[2K{line:.110}") } else { writeln!(stderr, "{line}") };
        let _ = stderr.flush();
    }

    /// Leaves one last line, with the whole time.
    pub fn finish(&self, outcome: &str) {
        let start_of_line = if self.terminal { "\r\x1b[2K" } else { "" };
        eprintln!("{start_of_line}{}: {outcome} after {:.1} s", self.title, self.start.elapsed().as_secs_f64());
    }
}
