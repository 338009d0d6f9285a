//! `archipel peer invite`.

use crate::admin::grpc::proto::InviteRequest;
use crate::admin::grpc::proto::peers_client::PeersClient;
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::config::parse_duration;
use clap::Args;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

/// Print a token that lets one other site become a peer. Whoever holds it can use it once: send it on a safe way.
#[derive(Clone, Debug, Args)]
pub struct Invite {
    #[command(flatten)]
    connection: Connection,
    /// How long the token can be used.
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    ttl: Duration,
    /// Where the other site can dial this one; default: what the site was started with.
    #[arg(long, value_name = "HOST:PORT", default_value = "", hide_default_value = true)]
    link_address: String,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Invite {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let request = InviteRequest { ttl_seconds: self.ttl.as_secs(), link_address: self.link_address };
        let reply = PeersClient::new(self.connection.open().await?).invite(request).await?.into_inner();
        if self.output == Format::Json {
            print_json(&json!({
                "token": reply.token, "address": reply.address, "expires_unix_ms": reply.expires_unix_ms,
            }));
        } else {
            // The token alone goes to standard output, so that a script can take it from there.
            println!("{}", reply.token);
            eprintln!(
                "\nThe token works once, for {}. At the other site, which must reach {}:\n  archipel peer accept TOKEN",
                crate::cli::output::seconds(self.ttl.as_secs_f64()),
                reply.address
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}
