//! `archipel conflicts list`.

use super::connection::{Connection, VerbError};
use super::output::{Format, print_json};
use super::view::{conflict_json, conflict_table};
use crate::admin::grpc::proto::ListConflictsRequest;
use crate::admin::grpc::proto::conflicts_client::ConflictsClient;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::process::ExitCode;

/// The verbs.
#[derive(Clone, Debug, Subcommand)]
pub enum Conflicts {
    /// List merges that had to drop or hide a concurrent write, with both values.
    List(List),
}

/// List merges that had to drop or hide a concurrent write, with both values.
#[derive(Clone, Debug, Args)]
pub struct List {
    #[command(flatten)]
    connection: Connection,
    /// Of one namespace only.
    #[arg(short, long, default_value = "", hide_default_value = true)]
    namespace: String,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Conflicts {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the admin has to know.
    pub async fn run(self) -> Result<ExitCode, VerbError> {
        let Self::List(list) = self;
        let mut client = ConflictsClient::new(list.connection.open().await?);
        let conflicts = client.list(ListConflictsRequest { namespace: list.namespace }).await?.into_inner().conflict;
        match list.output {
            Format::Json => {
                print_json(&json!({ "conflicts": conflicts.iter().map(conflict_json).collect::<Vec<Value>>() }));
            }
            Format::Table if conflicts.is_empty() => println!("No conflicts."),
            Format::Table => print!("{}", conflict_table(&conflicts)),
        }
        Ok(ExitCode::SUCCESS)
    }
}
