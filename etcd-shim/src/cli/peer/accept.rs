//! `archipel peer accept TOKEN`.

use crate::admin::grpc::proto::AcceptRequest;
use crate::admin::grpc::proto::peers_client::PeersClient;
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::cli::view::peer_json;
use clap::Args;
use std::io::Read;
use std::process::ExitCode;

/// Bytes of a token that are read from standard input.
const TOKEN_BYTES_MAX: u64 = 8192;

/// Become the peer of the site that printed the token.
#[derive(Clone, Debug, Args)]
pub struct Accept {
    /// What `archipel peer invite` printed; `-` reads it from standard input, which keeps it out of the shell's history.
    token: String,
    #[command(flatten)]
    connection: Connection,
    /// What the other site is told as this site's address, instead of what this site was started with; `none` tells none.
    #[arg(long, value_name = "HOST:PORT", default_value = "", hide_default_value = true)]
    link_address: String,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Accept {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let mut token = self.token;
        if token == "-" {
            token.clear();
            std::io::stdin().take(TOKEN_BYTES_MAX).read_to_string(&mut token).map_err(VerbError::Stdin)?;
        }
        let request = AcceptRequest { token, link_address: self.link_address };
        let peer = PeersClient::new(self.connection.open().await?).accept(request).await?.into_inner();
        if self.output == Format::Json {
            print_json(&peer_json(&peer));
        } else {
            println!(
                "{} is a peer now. Nothing is shared yet: archipel share attach -n NAMESPACE --with {}",
                peer.name, peer.name
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
