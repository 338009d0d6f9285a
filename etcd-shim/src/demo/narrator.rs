//! The story on the terminal: what is done, what held, and how long it took.

use std::io::IsTerminal;
use std::time::Duration;

/// Prints the story on standard output and remembers what did not hold.
#[derive(Debug)]
pub struct Narrator {
    color: bool,
    chapter: u32,
    broken: Vec<String>,
}

impl Default for Narrator {
    fn default() -> Narrator {
        Narrator::new()
    }
}

impl Narrator {
    /// With colours when standard output is a terminal and `NO_COLOR` is not set.
    pub fn new() -> Narrator {
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Narrator { color, chapter: 0, broken: Vec::new() }
    }

    /// Opens the next chapter.
    pub fn chapter(&mut self, title: &str) {
        self.chapter += 1;
        println!("\n{}", self.paint("1", &format!("{}. {title}", self.chapter)));
    }

    /// A command, as the user would type it at `site`.
    pub fn command(&self, site: &str, command: &str) {
        println!("   {} {command}", self.paint("2", &format!("{site}$")));
    }

    /// Something that was done without a command.
    pub fn deed(&self, what: &str) {
        println!("   {what}");
    }

    /// A step that held, and how long it took when that says something.
    pub fn held(&self, what: &str, after: Option<Duration>) {
        let time = after.map(|after| format!("  ({})", time(after))).unwrap_or_default();
        println!("   {} {what}{time}", self.paint("32", "✓"));
    }

    /// A step that did not hold, and what was seen instead.
    pub fn broke(&mut self, what: &str, seen: &str) {
        println!("   {} {what}: {seen}", self.paint("31", "✗"));
        self.broken.push(format!("{what}: {seen}"));
    }

    /// All that did not hold, in order.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A duration as a reader wants it: milliseconds below a second.
pub fn time(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    if milliseconds < 10.0 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 1000.0 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
