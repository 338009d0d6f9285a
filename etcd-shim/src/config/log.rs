//! The flags of logging.

use super::{ConfigError, Values};
use std::path::PathBuf;
use tracing_subscriber::EnvFilter;

/// Levels that tracing knows by etcd's names.
const LEVELS: &[&str] = &["trace", "info", "warn", "error"];

/// How the process logs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogSettings {
    /// A filter of tracing.
    pub filter: String,
    /// JSON objects, as etcd writes them; else text for people.
    pub json: bool,
    /// Where lines go; each goes to all.
    pub outputs: Vec<LogOutput>,
}

/// Where log lines go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LogOutput {
    /// Standard error, which systemd takes to its journal.
    Stderr,
    /// Standard output.
    Stdout,
    /// A file, to its end.
    File(PathBuf),
}

impl LogSettings {
    /// From the flags.
    ///
    /// # Errors
    /// A level that is none; outputs that exclude each other.
    pub(super) fn parse(values: &Values) -> Result<LogSettings, ConfigError> {
        let level = values.text("log-level");
        let filter = filter_of(level);
        let refused = |reason: String| ConfigError::LogLevel { level: level.to_owned(), reason };
        // A filter takes a word that is no level for the name of a module, and would then show nothing.
        if !level.contains(['=', ',']) && filter == level && !LEVELS.contains(&level) {
            return Err(refused("no such level".to_owned()));
        }
        EnvFilter::try_new(filter).map_err(|reason| refused(reason.to_string()))?;
        let names = values.list("log-outputs");
        if names.len() > 1 && names.iter().any(|name| name == "default") {
            return Err(ConfigError::LogOutputs);
        }
        let mut outputs: Vec<_> = names.into_iter().map(output).collect();
        outputs.dedup();
        if outputs.is_empty() {
            outputs.push(LogOutput::Stderr);
        }
        Ok(LogSettings { filter: filter.to_owned(), json: values.text("log-format") == "json", outputs })
    }
}

/// etcd has levels that tracing does not have; and debug means ours, not every HTTP/2 frame.
fn filter_of(level: &str) -> &str {
    match level {
        "dpanic" | "panic" | "fatal" => "error",
        "debug" => "info,archipel=debug,archipel_store=debug",
        other => other,
    }
}

fn output(name: String) -> LogOutput {
    match name.as_str() {
        "default" | "stderr" | "systemd/journal" => LogOutput::Stderr,
        "stdout" => LogOutput::Stdout,
        _ => LogOutput::File(PathBuf::from(name)),
    }
}
