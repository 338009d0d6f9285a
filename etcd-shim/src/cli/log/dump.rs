//! `archipel log dump`.

use super::record::{HEADINGS, damage_line, record_json, record_lines, torn_line};
use crate::cli::connection::{EXIT_DEGRADED, VerbError, offline_dir};
use crate::cli::output::Format;
use crate::cli::verify::damage_json;
use archipel_store::inspect::{DumpRange, Dumped, InspectError, dump};
use clap::Args;
use serde_json::json;
use std::{
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::PathBuf,
    process::ExitCode,
};

/// The flags of `archipel log dump`.
#[derive(Clone, Debug, Args)]
pub struct Dump {
    /// The data directory of the site; default: NAME.etcd in this directory.
    #[arg(long, env = "ARCHIPEL_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The name of the site.
    #[arg(long, env = "ARCHIPEL_NAME", default_value = "default")]
    name: String,
    /// Show records with events of this revision or a later one.
    #[arg(long, value_name = "N")]
    from_revision: Option<i64>,
    /// Show records with events of this revision or an earlier one.
    #[arg(long, value_name = "N")]
    to_revision: Option<i64>,
    /// Show at most so many records.
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
    /// table, or json: one object a line.
    #[arg(short, long, short_alias = 'w', alias = "write-out", value_enum, default_value_t)]
    output: Format,
}

impl Dump {
    pub(super) fn run(self) -> Result<ExitCode, VerbError> {
        let revisions = (self.from_revision.is_some() || self.to_revision.is_some())
            .then(|| self.from_revision.unwrap_or(0)..=self.to_revision.unwrap_or(i64::MAX));
        let range = DumpRange { revisions, limit: self.limit };
        let mut out = BufWriter::new(io::stdout().lock());
        let mut written = match self.output {
            Format::Table => writeln!(out, "{HEADINGS}"),
            Format::Json => Ok(()),
        };
        let mut damaged = false;
        dump(&offline_dir(self.data_dir, &self.name), &range, &mut |shown| {
            damaged |= matches!(shown, Dumped::Damaged(_));
            if written.is_ok() {
                written = show(&mut out, &shown, self.output);
            }
            if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        match written.and_then(|()| out.flush()) {
            // Who reads has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written.map_err(InspectError::Output)?,
        }
        Ok(if damaged { ExitCode::from(EXIT_DEGRADED) } else { ExitCode::SUCCESS })
    }
}

fn show(out: &mut impl Write, shown: &Dumped, format: Format) -> io::Result<()> {
    match (format, shown) {
        (Format::Json, Dumped::Record(record)) => writeln!(out, "{}", record_json(record)),
        (Format::Json, Dumped::Damaged(damage)) => {
            writeln!(out, "{}", json!({"kind": "damaged", "damage": damage_json(damage)}))
        }
        (Format::Json, Dumped::Torn(torn)) => {
            let (segment, offset) = (torn.at.segment, torn.at.offset);
            writeln!(out, "{}", json!({"kind": "torn", "segment": segment, "offset": offset, "bytes": torn.bytes}))
        }
        (Format::Table, Dumped::Record(record)) => out.write_all(record_lines(record).as_bytes()),
        (Format::Table, Dumped::Damaged(damage)) => writeln!(out, "{}", damage_line(damage)),
        (Format::Table, Dumped::Torn(torn)) => writeln!(out, "{}", torn_line(torn)),
    }
}
