//! `archipel verify`.

use super::connection::{EXIT_DEGRADED, VerbError, offline_dir};
use super::output::{Format, Table, print_json};
use super::progress::bar;
use archipel_store::inspect::{Damage, DamagedKey, IndexFinding, Verification, verify};
use clap::Args;
use serde_json::{Value, json};
use std::{path::PathBuf, process::ExitCode};

/// The flags of `archipel verify`.
#[derive(Clone, Debug, Args)]
pub struct Verify {
    /// The data directory of the site; default: NAME.etcd in this directory.
    #[arg(long, env = "ARCHIPEL_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The name of the site.
    #[arg(long, env = "ARCHIPEL_NAME", default_value = "default")]
    name: String,
    /// table or json.
    #[arg(short, long, short_alias = 'w', alias = "write-out", value_enum, default_value_t)]
    output: Format,
}

impl Verify {
    pub(super) fn run(self) -> Result<ExitCode, VerbError> {
        let dir = offline_dir(self.data_dir, &self.name);
        let bar = bar("verifying", 0);
        let found = verify(&dir, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.done_bytes);
        });
        bar.finish_and_clear();
        let found = found?;
        match self.output {
            Format::Json => print_json(&as_json(&found)),
            Format::Table => print!("{}", as_text(&found)),
        }
        Ok(if found.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DEGRADED) })
    }
}

fn as_text(found: &Verification) -> String {
    let mut table =
        Table::new(&["SEGMENTS", "BYTES", "RECORDS", "REVISION", "COMPACTED", "KEYS", "VERSIONS", "ROWS", "DIGEST"]);
    table.row([
        found.segments.to_string(),
        found.log_bytes.to_string(),
        found.records.to_string(),
        found.revision.to_string(),
        found.compact_revision.max(0).to_string(),
        found.keys.to_string(),
        found.versions.to_string(),
        found.rows.to_string(),
        format!("{:016x}", found.digest),
    ]);
    let mut text = table.render();
    let mut say = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    if let Some(torn) = found.torn {
        let at = torn.at;
        say(format!(
            "note: {} bytes of an unfinished batch at {at}: harmless, nobody was told that they are durable; the next \
             start cuts them",
            torn.bytes
        ));
    }
    for damage in &found.damage {
        say(format!("damaged: {}", place(damage)));
        say(format!("  {}", damage.what));
        for lost in &damage.lost {
            say(format!("  lost: {}", key(lost)));
        }
        let more = damage.lost_count - damage.lost.len() as u64;
        if more > 0 {
            say(format!("  lost: {more} more"));
        }
        say(format!("  {}", damage.remedy));
    }
    if found.damage_more > 0 {
        say(format!("damaged: {} more places", found.damage_more));
    }
    index_lines(&found.index).into_iter().for_each(&mut say);
    say(if found.is_clean() { "clean".to_owned() } else { "not clean".to_owned() });
    text
}

fn index_lines(index: &IndexFinding) -> Vec<String> {
    match index {
        IndexFinding::Absent => vec!["index: there is none; the next start makes it from the log".to_owned()],
        IndexFinding::NotCompared => vec!["index: not compared, because the log is damaged".to_owned()],
        IndexFinding::Agrees(point, _) => {
            vec![format!("index: agrees with the log, up to {point} and with what follows")]
        }
        IndexFinding::Unusable(reason) => vec![
            format!("damaged: the index: {reason}"),
            "  nothing is lost: the next start makes it anew from the log; look at the disk".to_owned(),
        ],
        IndexFinding::Differs { differences, more } => {
            let mut lines = vec!["damaged: the index says something else than the log".to_owned()];
            lines.extend(differences.iter().map(|difference| format!("  {difference}")));
            if *more > 0 {
                lines.push(format!("  {more} more"));
            }
            lines.push(format!("  {REMOVE_INDEX}"));
            lines
        }
    }
}

/// For an index that contradicts the log.
const REMOVE_INDEX: &str =
    "the log is whole: remove the index directory while the site is stopped; the next start makes it anew";

fn place(damage: &Damage) -> String {
    let file = damage.file.display();
    match damage.bytes {
        0 if damage.offset == 0 => file.to_string(),
        0 => format!("{file} at offset {}", damage.offset),
        bytes => format!("{file} at offset {}, {bytes} bytes", damage.offset),
    }
}

fn key(lost: &DamagedKey) -> String {
    match lost.table {
        None => format!("key {} of revision {}", lost.key.escape_ascii(), lost.revision),
        Some(table) => format!("row {} of table {table:?}", lost.key.escape_ascii()),
    }
}

fn as_json(found: &Verification) -> Value {
    let index = match &found.index {
        IndexFinding::Absent => json!({"state": "absent"}),
        IndexFinding::NotCompared => json!({"state": "not compared"}),
        IndexFinding::Agrees(point, digest) => json!({
            "state": "agrees", "segment": point.segment, "offset": point.offset, "digest": format!("{digest:016x}"),
        }),
        IndexFinding::Unusable(reason) => json!({"state": "unusable", "reason": reason}),
        IndexFinding::Differs { differences, more } => {
            json!({"state": "differs", "differences": differences, "more": more, "remedy": REMOVE_INDEX})
        }
    };
    let torn =
        found.torn.map(|torn| json!({"segment": torn.at.segment, "offset": torn.at.offset, "bytes": torn.bytes}));
    json!({
        "clean": found.is_clean(), "segments": found.segments, "log_bytes": found.log_bytes, "records": found.records,
        "revision": found.revision, "compact_revision": found.compact_revision, "keys": found.keys,
        "versions": found.versions, "rows": found.rows, "digest": format!("{:016x}", found.digest),
        "closed": found.closed, "torn": torn, "index": index, "damage_more": found.damage_more,
        "damage": found.damage.iter().map(damage_json).collect::<Vec<_>>(),
    })
}

/// A damaged place as JSON.
pub(super) fn damage_json(damage: &Damage) -> Value {
    let lost = damage.lost.iter().map(|lost| {
        json!({
            "key": String::from_utf8_lossy(&lost.key), "table": lost.table.map(|table| format!("{table:?}")),
            "revision": lost.revision,
        })
    });
    json!({
        "file": damage.file, "segment": damage.segment, "offset": damage.offset, "bytes": damage.bytes,
        "what": damage.what, "kept": damage.kept, "lost_count": damage.lost_count, "lost": lost.collect::<Vec<_>>(),
        "remedy": damage.remedy,
    })
}
