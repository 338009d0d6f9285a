//! `archipel snapshot restore`.

use super::status::summary_json;
use crate::cli::connection::VerbError;
use crate::cli::output::{Format, print_json};
use crate::cli::progress::bar;
use crate::snapshot;
use clap::Args;
use std::{path::PathBuf, process::ExitCode};

/// Make a new site's data directory of a snapshot. Needs no site.
///
/// The restored site is a new one to its peers: what the original wrote after the snapshot, or still writes, is never
/// mixed up with what this one writes. Pair it and share namespaces again; until then all its objects are its own.
#[derive(Clone, Debug, Args)]
pub struct Restore {
    /// The snapshot.
    file: PathBuf,
    /// The directory to make; it must be absent or empty.
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
    /// Let the revision lie this far above the snapshot's, so that no client takes an old state for a new one. A
    /// snapshot of a week ago: 1000000000.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "mark_compacted")]
    bump_revision: u64,
    /// Mark everything below the raised revision as compacted, so that clients list anew.
    #[arg(long, requires = "bump_revision")]
    mark_compacted: bool,
    /// table or json.
    #[arg(short, long, short_alias = 'w', alias = "write-out", value_enum, default_value_t)]
    output: Format,
}

impl Restore {
    pub(super) fn run(self) -> Result<ExitCode, VerbError> {
        let bytes = std::fs::metadata(&self.file).map_or(0, |file| file.len());
        let bar = bar("restoring", 3 * bytes);
        let request =
            snapshot::Restore { file: &self.file, data_dir: &self.data_dir, bump_revision: self.bump_revision };
        let summary = snapshot::restore(&request, &mut |read| bar.set_position(read))?;
        bar.finish_and_clear();
        match self.output {
            Format::Json => print_json(&summary_json(&summary)),
            Format::Table => {
                let (dir, header) = (self.data_dir.display(), &summary.header);
                println!(
                    "restored {} keys at revision {} of site {} to {dir}",
                    header.keys, header.revision, header.site
                );
                println!(
                    "Serve it: archipel --data-dir {dir} --name NAME. Peers and shares are not restored: pair anew."
                );
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
