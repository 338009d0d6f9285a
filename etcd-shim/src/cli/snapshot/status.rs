//! `archipel snapshot status`.

use crate::cli::connection::VerbError;
use crate::cli::output::{Format, Table, ago, print_json};
use crate::cli::progress::bar;
use crate::snapshot::{Summary, open};
use clap::Args;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

/// Check a snapshot and show what it is of. Needs no site.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// The snapshot.
    file: PathBuf,
    /// table or json.
    #[arg(short, long, short_alias = 'w', alias = "write-out", value_enum, default_value_t)]
    output: Format,
}

impl Status {
    pub(super) fn run(self) -> Result<ExitCode, VerbError> {
        let bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        let bar = bar("checking", 2 * bytes);
        let summary = open(&self.file, &mut |read| bar.set_position(read))?;
        bar.finish_and_clear();
        match self.output {
            Format::Json => print_json(&summary_json(&summary)),
            Format::Table => {
                let mut table =
                    Table::new(&["SITE", "AGE", "REVISION", "COMPACTED", "KEYS", "VERSIONS", "BYTES", "SHA-256"]);
                let header = &summary.header;
                table.row([
                    header.site.clone(),
                    ago(header.created_unix_ms),
                    header.revision.to_string(),
                    header.compact_revision.max(0).to_string(),
                    header.keys.to_string(),
                    (summary.totals.versions + summary.totals.events).to_string(),
                    summary.bytes.to_string(),
                    summary.digest.get(..16).unwrap_or_default().to_owned(),
                ]);
                print!("{}", table.render());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A snapshot as JSON. The first five fields have the names of `etcdutl snapshot status`.
pub(super) fn summary_json(summary: &Summary) -> Value {
    let header = &summary.header;
    json!({
        "hash": summary.digest, "revision": header.revision, "totalKey": header.keys, "totalSize": summary.bytes,
        "version": header.etcd_version,
        "site": header.site, "site_id": header.site_id, "archipel_version": header.archipel_version,
        "created_unix_ms": header.created_unix_ms, "compact_revision": header.compact_revision,
        "versions": summary.totals.versions, "events": summary.totals.events, "rows": summary.totals.rows,
    })
}
