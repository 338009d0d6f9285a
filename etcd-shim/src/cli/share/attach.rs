//! `archipel share attach -n NAMESPACE --with PEER`.

use crate::admin::grpc::proto::AttachRequest;
use crate::admin::grpc::proto::shares_client::SharesClient;
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::cli::view::share_json;
use clap::Args;
use std::process::ExitCode;

/// Offer a namespace to a peer. Nothing moves before the peer's admin accepts.
#[derive(Clone, Debug, Args)]
pub struct Attach {
    #[command(flatten)]
    connection: Connection,
    /// The namespace.
    #[arg(short, long)]
    namespace: String,
    /// The peer, as `archipel peer list` shows it.
    #[arg(long, value_name = "PEER")]
    with: String,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Attach {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let request = AttachRequest { namespace: self.namespace, with: self.with };
        let share = SharesClient::new(self.connection.open().await?).attach(request).await?.into_inner();
        match (self.output, share.state.as_str()) {
            (Format::Json, _) => print_json(&share_json(&share)),
            (_, "active") => println!("{} is shared with {}.", share.namespace, share.with),
            _ => println!(
                "{} is offered to {}. Nothing moves before its admin runs:\n  archipel share accept -n {} --from THIS_SITE",
                share.namespace, share.with, share.namespace
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}
