//! `archipel peer …`: who this site trusts.

mod accept;
mod invite;
mod list;
mod revoke;

use super::connection::VerbError;
use clap::Subcommand;
use std::process::ExitCode;

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Peer {
    /// Print a token that lets one other site become a peer.
    Invite(invite::Invite),
    /// Become the peer of the site that printed the token.
    Accept(accept::Accept),
    /// List peers and their links.
    List(list::List),
    /// Stop trusting a peer; its link is cut at once.
    Revoke(revoke::Revoke),
}

impl Peer {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the admin has to know.
    pub async fn run(self) -> Result<ExitCode, VerbError> {
        match self {
            Self::Invite(verb) => verb.run().await,
            Self::Accept(verb) => verb.run().await,
            Self::List(verb) => verb.run().await,
            Self::Revoke(verb) => verb.run().await,
        }
    }
}
