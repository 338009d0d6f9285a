//! `archipel share list`.

use crate::admin::grpc::proto::ListSharesRequest;
use crate::admin::grpc::proto::shares_client::SharesClient;
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::cli::view::{share_json, share_table};
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;

/// List shares.
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
        let mut client = SharesClient::new(self.connection.open().await?);
        let shares = client.list(ListSharesRequest {}).await?.into_inner().share;
        match self.output {
            Format::Json => print_json(&json!({ "shares": shares.iter().map(share_json).collect::<Vec<Value>>() })),
            Format::Table if shares.is_empty() => {
                println!("Nothing is shared. Offer a namespace: archipel share attach -n NAMESPACE --with PEER");
            }
            Format::Table => print!("{}", share_table(&shares)),
        }
        Ok(ExitCode::SUCCESS)
    }
}
