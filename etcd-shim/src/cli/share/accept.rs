//! `archipel share accept -n NAMESPACE --from PEER`.

use crate::admin::grpc::proto::AcceptShareRequest;
use crate::admin::grpc::proto::shares_client::SharesClient;
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::cli::view::share_json;
use clap::{Args, ValueEnum};
use std::process::ExitCode;

/// Accept the namespace that a peer offered.
#[derive(Clone, Debug, Args)]
pub struct Accept {
    #[command(flatten)]
    connection: Connection,
    /// The namespace.
    #[arg(short, long)]
    namespace: String,
    /// The peer that offered it.
    #[arg(long, value_name = "PEER")]
    from: String,
    /// What to do if the namespace has objects here already.
    #[arg(long, value_enum, default_value_t)]
    merge: MergeFlag,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
enum MergeFlag {
    /// Refuse, and say which they are.
    #[default]
    Refuse,
    /// Of two objects with one name the earlier one stands.
    Earliest,
}

impl Accept {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let merge = match self.merge {
            MergeFlag::Refuse => "refuse",
            MergeFlag::Earliest => "earliest",
        };
        let request = AcceptShareRequest { namespace: self.namespace, from: self.from, merge: merge.to_owned() };
        let share = SharesClient::new(self.connection.open().await?).accept(request).await?.into_inner();
        if self.output == Format::Json {
            print_json(&share_json(&share));
        } else {
            println!("{} is shared with {}. How far it is: archipel status", share.namespace, share.with);
        }
        Ok(ExitCode::SUCCESS)
    }
}
