//! `archipel peer list`.

use crate::admin::grpc::proto::ListPeersRequest;
use crate::admin::grpc::proto::peers_client::PeersClient;
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::cli::view::{peer_json, peer_table};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// List peers and their links.
#[derive(Clone, Debug, Args)]
pub struct List {
    #[command(flatten)]
    connection: Connection,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl List {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let mut client = PeersClient::new(self.connection.open().await?);
        let peers = client.list(ListPeersRequest {}).await?.into_inner().peer;
        match self.output {
            Format::Json => print_json(&json!({ "peers": peers.iter().map(peer_json).collect::<Vec<Value>>() })),
            Format::Table if peers.is_empty() => println!("No peers. Invite one: archipel peer invite"),
            Format::Table => print!("{}", peer_table(&peers)),
        }
        Ok(ExitCode::SUCCESS)
    }
}
