//! `archipel snapshot …`: backups of a site.

mod restore;
mod save;
mod status;

use super::connection::VerbError;
use clap::Subcommand;
use std::process::ExitCode;

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Snapshot {
    /// Save everything that this site holds at one moment to a file, while it goes on serving.
    Save(save::Save),
    /// Check a snapshot and show what it is of. Needs no site.
    Status(status::Status),
    /// Make a new site's data directory of a snapshot. Needs no site.
    Restore(restore::Restore),
}

impl Snapshot {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the admin has to know.
    pub async fn run(self) -> Result<ExitCode, VerbError> {
        match self {
            Self::Save(verb) => verb.run().await,
            Self::Status(verb) => verb.run(),
            Self::Restore(verb) => verb.run(),
        }
    }
}
