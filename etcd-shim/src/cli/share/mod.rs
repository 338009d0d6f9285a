//! `archipel share …`: which namespaces this site shares.

mod accept;
mod attach;
mod detach;
mod list;

use super::connection::VerbError;
use clap::Subcommand;
use std::process::ExitCode;

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Share {
    /// Offer a namespace to a peer. Nothing moves before the peer's admin accepts.
    Attach(attach::Attach),
    /// Accept the namespace that a peer offered.
    Accept(accept::Accept),
    /// List shares.
    List(list::List),
    /// Leave a share; the objects stay as ordinary local objects.
    Detach(detach::Detach),
}

impl Share {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the admin has to know.
    pub async fn run(self) -> Result<ExitCode, VerbError> {
        match self {
            Self::Attach(verb) => verb.run().await,
            Self::Accept(verb) => verb.run().await,
            Self::List(verb) => verb.run().await,
            Self::Detach(verb) => verb.run().await,
        }
    }
}
