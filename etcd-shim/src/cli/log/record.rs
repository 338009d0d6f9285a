//! A record of the log as lines of a table or as a JSON object. The columns have fixed widths: a log is too long to be
//! measured before it is shown.

use archipel_store::inspect::{Damage, DumpedRecord, EntryRange, Operation, Origin};
use archipel_store::log::{Table, Torn};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// Above the table.
pub(super) const HEADINGS: &str = "SEGMENT  OFFSET      BYTES     KIND     REVISION      ORIGIN           OPERATION";

/// A record: a line for each operation; place, revision and origin stand in the first.
pub(super) fn record_lines(record: &DumpedRecord) -> String {
    let revision = match record.revisions {
        Some((first, last)) if first == last => first.to_string(),
        Some((first, last)) => format!("{first}-{last}"),
        None => "-".to_owned(),
    };
    let (segment, offset, bytes) = (record.start.segment, record.start.offset, record.bytes);
    let origin = if record.kind == "record" { origin_name(&record.origin) } else { "-" };
    let mut line = format!("{segment:<7}  {offset:<10}  {bytes:<8}  {:<7}  {revision:<12}  {origin:<15}", record.kind);
    let indent = line.chars().count();
    let mut operations: Vec<String> = record.operations.iter().map(operation_text).collect();
    operations.extend(entries(&record.origin).iter().map(entry_text));
    for (at, operation) in operations.iter().enumerate() {
        if at > 0 {
            let _ = write!(line, "\n{:indent$}", "");
        }
        let _ = write!(line, "  {operation}");
    }
    let lines: Vec<&str> = line.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// A damaged part between records.
pub(super) fn damage_line(damage: &Damage) -> String {
    let Damage { segment, offset, bytes, what, remedy, .. } = damage;
    format!("{segment:<7}  {offset:<10}  {bytes:<8}  damaged  {what}; {remedy}")
}

/// The torn end of the log.
pub(super) fn torn_line(torn: &Torn) -> String {
    let (segment, offset, bytes) = (torn.at.segment, torn.at.offset, torn.bytes);
    format!("{segment:<7}  {offset:<10}  {bytes:<8}  torn     an unfinished batch; harmless, the next start cuts it")
}

/// A record as one JSON object.
pub(super) fn record_json(record: &DumpedRecord) -> Value {
    let mut line = Map::new();
    let mut set = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
    set("segment", json!(record.start.segment));
    set("offset", json!(record.start.offset));
    set("bytes", json!(record.bytes));
    set("kind", json!(record.kind));
    if record.kind != "record" {
        return Value::Object(line);
    }
    if let Some((first, last)) = record.revisions {
        set("revision", json!(first));
        set("revision_last", json!(last));
    }
    set("origin", json!(origin_name(&record.origin)));
    let entries: Vec<Value> = entries(&record.origin).iter().map(entry_json).collect();
    if !entries.is_empty() {
        set("entries", json!(entries));
    }
    set("operations", record.operations.iter().map(operation_json).collect());
    Value::Object(line)
}

fn origin_name(origin: &Origin) -> &'static str {
    match origin {
        Origin::Site { entries } if entries.is_empty() => "site",
        Origin::Site { .. } => "site, shared",
        Origin::Peer { .. } => "peer",
        Origin::Share => "share",
        Origin::Cleaning => "cleaning",
    }
}

fn entries(origin: &Origin) -> &[EntryRange] {
    match origin {
        Origin::Site { entries } | Origin::Peer { entries } => entries,
        Origin::Share | Origin::Cleaning => &[],
    }
}

fn entry_text(entry: &EntryRange) -> String {
    let EntryRange { share, actor, n_first, n_last } = entry;
    let numbers = if n_first == n_last { n_first.to_string() } else { format!("{n_first}-{n_last}") };
    format!("entry {actor:032x}:{numbers} of share {share:032x}")
}

fn entry_json(entry: &EntryRange) -> Value {
    let EntryRange { share, actor, n_first, n_last } = entry;
    json!({
        "share": format!("{share:032x}"), "actor": format!("{actor:032x}"), "first": n_first, "last": n_last,
    })
}

fn operation_text(operation: &Operation) -> String {
    let mut text = operation.kind.to_owned();
    if let Some(table) = operation.table {
        let _ = write!(text, " {table:?}");
    }
    match operation.table {
        Some(Table::Lease) => {
            let _ = write!(text, " {:x}", operation.lease);
        }
        _ if operation.key.is_empty() => {}
        _ => {
            let _ = write!(text, " {}", operation.key.escape_ascii());
        }
    }
    if let Some((main, sub)) = operation.revision {
        let _ = if sub == 0 { write!(text, " at {main}") } else { write!(text, " at {main}.{sub}") };
    }
    if operation.version > 0 {
        let _ = write!(text, " version {} created {}", operation.version, operation.create_revision);
    }
    if operation.lease != 0 && operation.table.is_none() {
        let _ = write!(text, " lease {:x}", operation.lease);
    }
    if let Some(ttl_s) = operation.ttl_s {
        let _ = write!(text, " ttl {ttl_s}s");
    } else if operation.kind.ends_with("put") {
        let _ = write!(text, " {} bytes", operation.value_bytes);
    }
    if let Some(superseded_at) = operation.superseded_at {
        let _ = write!(text, " superseded at {superseded_at}");
    }
    text
}

fn operation_json(operation: &Operation) -> Value {
    let mut line = Map::new();
    let mut set = |name: &str, value: Value| drop(line.insert(name.to_owned(), value));
    set("kind", json!(operation.kind));
    if let Some(table) = operation.table {
        set("table", json!(format!("{table:?}").to_lowercase()));
    }
    if operation.kind != "compact" {
        match (operation.table, std::str::from_utf8(&operation.key)) {
            (Some(Table::Lease), _) => {}
            (_, Ok(key)) => set("key", json!(key)),
            // Not text: as bytes that are.
            (_, Err(_)) => set("key_escaped", json!(operation.key.escape_ascii().to_string())),
        }
    }
    if let Some((main, sub)) = operation.revision {
        set("revision", json!(main));
        if operation.kind != "compact" {
            set("sub", json!(sub));
        }
    }
    if operation.version > 0 {
        set("version", json!(operation.version));
        set("create_revision", json!(operation.create_revision));
    }
    if operation.lease != 0 {
        set("lease", json!(format!("{:x}", operation.lease)));
    }
    if let Some(ttl_s) = operation.ttl_s {
        set("ttl", json!(ttl_s));
    }
    if operation.kind.ends_with("put") {
        set("value_bytes", json!(operation.value_bytes));
    }
    if let Some(superseded_at) = operation.superseded_at {
        set("superseded_at", json!(superseded_at));
    }
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use archipel_store::log::LogPoint;

    fn record() -> DumpedRecord {
        let put = Operation {
            kind: "put",
            key: "a/b".into(),
            revision: Some((7, 0)),
            create_revision: 3,
            version: 2,
            lease: 255,
            value_bytes: 5,
            ..Operation::default()
        };
        let lease = Operation {
            kind: "row put",
            key: vec![0, 0, 0, 0, 0, 0, 0, 255].into(),
            table: Some(Table::Lease),
            lease: 255,
            ttl_s: Some(60),
            value_bytes: 8,
            ..Operation::default()
        };
        DumpedRecord {
            start: LogPoint { segment: 2, offset: 64 },
            bytes: 120,
            kind: "record",
            revisions: Some((7, 7)),
            origin: Origin::Site { entries: vec![EntryRange { share: 1, actor: 2, n_first: 3, n_last: 4 }] },
            operations: vec![put, lease],
        }
    }

    #[test]
    fn a_record_is_a_line_for_each_operation() {
        let zeros = "0".repeat(31);
        let indent = " ".repeat(71);
        assert_eq!(
            record_lines(&record()),
            format!(
                "2        64          120       record   7             site, shared     put a/b at 7 version 2 created 3 lease ff 5 bytes\n\
                 {indent}row put Lease ff ttl 60s\n{indent}entry {zeros}2:3-4 of share {zeros}1\n"
            )
        );
        let opened = DumpedRecord { kind: "opened", revisions: None, operations: Vec::new(), ..record() };
        let opened = DumpedRecord { origin: Origin::Site { entries: Vec::new() }, ..opened };
        assert_eq!(record_lines(&opened), "2        64          120       opened   -             -\n");
    }

    #[test]
    fn a_record_is_one_object() {
        let line = record_json(&record());
        assert_eq!(
            line["operations"][0],
            json!({
                "kind": "put", "key": "a/b", "revision": 7, "sub": 0, "version": 2, "create_revision": 3, "lease": "ff",
                "value_bytes": 5,
            })
        );
        assert_eq!(line["operations"][1]["ttl"], 60);
        assert_eq!((&line["origin"], &line["entries"][0]["last"]), (&json!("site, shared"), &json!(4)));
        assert!(!line.to_string().contains('\n'));
    }
}
