//! `archipel share detach -n NAMESPACE --keep`.

use crate::admin::grpc::proto::DetachRequest;
use crate::admin::grpc::proto::shares_client::SharesClient;
use crate::cli::connection::{Connection, VerbError};
use clap::Args;
use std::process::ExitCode;

/// Leave a share; the objects stay as ordinary local objects.
#[derive(Clone, Debug, Args)]
pub struct Detach {
    #[command(flatten)]
    connection: Connection,
    /// The namespace.
    #[arg(short, long)]
    namespace: String,
    /// Keep the objects. To remove them too, delete the namespace with kubectl instead: the other site loses nothing.
    #[arg(long, required = true)]
    keep: bool,
}

impl Detach {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let request = DetachRequest { namespace: self.namespace };
        let share = SharesClient::new(self.connection.open().await?).detach(request).await?.into_inner();
        println!("{} is not shared with {} any more; its objects stay.", share.namespace, share.with);
        Ok(ExitCode::SUCCESS)
    }
}
