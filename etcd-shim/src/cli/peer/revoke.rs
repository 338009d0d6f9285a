//! `archipel peer revoke NAME`.

use crate::admin::grpc::proto::RevokeRequest;
use crate::admin::grpc::proto::peers_client::PeersClient;
use crate::cli::connection::{Connection, VerbError};
use clap::Args;
use std::process::ExitCode;

/// Stop trusting a peer; its link is cut at once.
#[derive(Clone, Debug, Args)]
pub struct Revoke {
    /// The peer, as `archipel peer list` shows it.
    peer: String,
    #[command(flatten)]
    connection: Connection,
}

impl Revoke {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let request = RevokeRequest { name: self.peer.clone() };
        let reply = PeersClient::new(self.connection.open().await?).revoke(request).await?.into_inner();
        println!("{} is no peer any more; its link is cut.", self.peer);
        for namespace in reply.namespace_still_shared {
            println!("The share of {namespace} with it stands still: archipel share detach -n {namespace} --keep");
        }
        Ok(ExitCode::SUCCESS)
    }
}
