//! `archipel log …`: the commit log of a site that is stopped.

mod dump;
mod record;

use super::connection::VerbError;
use clap::Subcommand;
use std::process::ExitCode;

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Log {
    /// Print every committed record of a stopped site in order, as etcd-dump-logs does. Nothing is changed.
    ///
    /// Keys, revisions, leases and sizes are shown; values and what rows hold are not, as they may be secrets. What is
    /// damaged is shown at its place, and the status is then 2.
    Dump(dump::Dump),
}

impl Log {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the admin has to know.
    pub fn run(self) -> Result<ExitCode, VerbError> {
        match self {
            Self::Dump(verb) => verb.run(),
        }
    }
}
