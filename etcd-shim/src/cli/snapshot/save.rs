//! `archipel snapshot save`.

use super::status::summary_json;
use crate::admin::grpc::proto::{SaveRequest, snapshots_client::SnapshotsClient};
use crate::cli::connection::{Connection, VerbError};
use crate::cli::output::{Format, print_json};
use crate::cli::progress::bar;
use crate::snapshot::{SnapshotError, open};
use clap::Args;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Save everything that this site holds at one moment to a file, while it goes on serving.
///
/// The file holds every version that is kept, leases and accounts, and ends in a digest, which is checked before the
/// file gets its name. It holds all Secrets: keep it as you keep the site.
#[derive(Clone, Debug, Args)]
pub struct Save {
    /// The file to make. One that exists is replaced once the new one is whole.
    file: PathBuf,
    #[command(flatten)]
    connection: Connection,
    /// table or json.
    #[arg(short, long, short_alias = 'w', alias = "write-out", value_enum, default_value_t)]
    output: Format,
}

impl Save {
    pub(super) async fn run(self) -> Result<ExitCode, VerbError> {
        let mut client = SnapshotsClient::new(self.connection.open().await?);
        let mut chunks = client.save(SaveRequest {}).await?.into_inner();
        let part = beside(&self.file);
        let io = |source| SnapshotError::Io { path: part.clone(), source };
        let mut file = private(&part).map_err(io)?;
        let bar = bar("saving", 0);
        let mut written = 0_u64;
        while let Some(chunk) = chunks.message().await? {
            file.write_all(&chunk.blob).map_err(io)?;
            written += chunk.blob.len() as u64;
            bar.set_length(written + chunk.remaining_bytes);
            bar.set_position(written);
        }
        file.sync_all().map_err(io)?;
        bar.finish_and_clear();
        // A stream that was cut off ends as one that is whole; the digest tells.
        let summary = open(&part, &mut |_| ())?;
        std::fs::rename(&part, &self.file).map_err(io)?;
        match self.output {
            Format::Json => print_json(&summary_json(&summary)),
            Format::Table => println!(
                "saved {} keys at revision {} of site {} to {} ({} bytes)",
                summary.header.keys,
                summary.header.revision,
                summary.header.site,
                self.file.display(),
                summary.bytes
            ),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    file.with_file_name(name)
}

/// A new file that only its owner can read.
fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
