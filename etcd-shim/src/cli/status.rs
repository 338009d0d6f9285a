//! `archipel status`.

use super::connection::{Connection, EXIT_DEGRADED, VerbError};
use super::output::{Format, print_json, seconds};
use super::view::{is_caught_up, is_connected, is_well, peer_json, peer_table, share_json, share_table, site_json};
use crate::admin::grpc::proto::site_client::SiteClient;
use crate::admin::grpc::proto::{StatusReply, StatusRequest};
use crate::config::parse_duration;
use clap::Args;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often `--wait` looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Show the site, its peers and its shares. Exits with 2 if a link is down or a share does not flow.
#[derive(Clone, Debug, Args)]
pub struct Status {
    #[command(flatten)]
    connection: Connection,
    /// Wait until every link is up and every share has caught up in both directions, then show.
    #[arg(long)]
    wait: bool,
    /// How long --wait waits.
    #[arg(long, default_value = "60s", value_parser = parse_duration)]
    timeout: Duration,
    /// table or json.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Status {
    /// Runs the verb.
    ///
    /// # Errors
    /// What the admin has to know.
    pub async fn run(self) -> Result<ExitCode, VerbError> {
        let mut client = SiteClient::new(self.connection.open().await?);
        let deadline = Instant::now() + self.timeout;
        let mut status = client.status(StatusRequest {}).await?.into_inner();
        while self.wait && !is_settled(&status) && Instant::now() < deadline {
            sleep(LOOK_EVERY).await;
            status = client.status(StatusRequest {}).await?.into_inner();
        }
        let degraded = is_degraded(&status) || (self.wait && !is_settled(&status));
        match self.output {
            Format::Json => print_json(&status_json(&status, degraded)),
            Format::Table => print_tables(&status),
        }
        Ok(if degraded { ExitCode::from(EXIT_DEGRADED) } else { ExitCode::SUCCESS })
    }
}

fn is_settled(status: &StatusReply) -> bool {
    status.peer.iter().all(is_connected) && status.share.iter().all(is_caught_up)
}

fn is_degraded(status: &StatusReply) -> bool {
    !status.peer.iter().all(is_connected) || !status.share.iter().all(is_well)
}

fn status_json(status: &StatusReply, degraded: bool) -> Value {
    json!({
        "site": status.site.as_ref().map(site_json),
        "peers": status.peer.iter().map(peer_json).collect::<Vec<Value>>(),
        "shares": status.share.iter().map(share_json).collect::<Vec<Value>>(),
        "degraded": degraded,
    })
}

fn print_tables(status: &StatusReply) {
    if let Some(site) = &status.site {
        println!("site {}   version {}   id {}   incarnation {}", site.name, site.version, site.site_id, site.actor);
        println!(
            "revision {}   compacted {}   keys {}   {} KiB on disk, {} KiB in use",
            site.revision,
            site.compact_revision.max(0),
            site.keys,
            site.size_bytes >> 10,
            site.size_in_use_bytes >> 10
        );
        let listens = if site.link_listen.is_empty() { "no link listener" } else { &site.link_listen };
        let told = if site.link_advertise.is_empty() { "peers are told no address" } else { &site.link_advertise };
        println!("links at {listens}, advertised as {told}\n");
    }
    if status.peer.is_empty() {
        println!("No peers. Invite one: archipel peer invite");
        return;
    }
    print!("{}", peer_table(&status.peer));
    for peer in status.peer.iter().filter(|peer| peer.clock_ahead_ms.abs() > CLOCK_WARNING_MS) {
        let off = seconds(peer.clock_ahead_ms.unsigned_abs() as f64 / 1000.0);
        println!("The clock of {} differs from ours by {off}; check NTP at both sites.", peer.name);
    }
    println!();
    if status.share.is_empty() {
        println!("Nothing is shared. Offer a namespace: archipel share attach -n NAMESPACE --with PEER");
    } else {
        print!("{}", share_table(&status.share));
    }
    if status.share.iter().any(|share| share.conflicts > 0) {
        println!("\nWhat was in conflict: archipel conflicts list");
    }
}

/// Clocks that differ by more are worth a line.
const CLOCK_WARNING_MS: i64 = 5_000;
