//! The configuration file: YAML whose keys are the flags' names, with etcd's sections for TLS and sockets
//! (etcd server/embed/config.go, `configYAML`).

use super::{
    Values,
    flag::{Flag, Kind},
    table,
};
use serde_json::{Map, Value};
use std::{
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Keys inside a section, and the flags that they stand for.
type Section = &'static [(&'static str, &'static str)];

/// etcd's sections.
const SECTIONS: &[(&str, Section)] = &[
    (
        "client-transport-security",
        &[
            ("cert-file", "cert-file"),
            ("key-file", "key-file"),
            ("client-cert-file", "client-cert-file"),
            ("client-key-file", "client-key-file"),
            ("client-cert-auth", "client-cert-auth"),
            ("trusted-ca-file", "trusted-ca-file"),
            ("client-crl-file", "client-crl-file"),
            ("auto-tls", "auto-tls"),
            ("allowed-cn", "client-cert-allowed-cn"),
            ("allowed-hostname", "client-cert-allowed-hostname"),
        ],
    ),
    (
        "peer-transport-security",
        &[
            ("cert-file", "peer-cert-file"),
            ("key-file", "peer-key-file"),
            ("client-cert-file", "peer-client-cert-file"),
            ("client-key-file", "peer-client-key-file"),
            ("client-cert-auth", "peer-client-cert-auth"),
            ("trusted-ca-file", "peer-trusted-ca-file"),
            ("auto-tls", "peer-auto-tls"),
            ("allowed-cn", "peer-cert-allowed-cn"),
            ("allowed-hostname", "peer-cert-allowed-hostname"),
            ("skip-client-san-verification", "peer-skip-client-san-verification"),
        ],
    ),
    ("socket-options", &[("reuse-port", "socket-reuse-port"), ("reuse-address", "socket-reuse-address")]),
    ("discovery-config", &[("discovery-endpoints", "discovery-endpoints"), ("discovery-token", "discovery-token")]),
];

/// A configuration file that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read.
    #[error("the configuration file {path} cannot be read: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// It is not YAML, or no map.
    #[error("the configuration file {path} is not a YAML map of flags: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// One of its values.
    #[error("the configuration file {path} has a wrong value at {key}: {reason}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// What to give instead.
        reason: String,
    },
}

/// Reads a file.
///
/// # Errors
/// It cannot be read, or one of its values is wrong. A key that is no flag is noted only, as etcd does not look at it
/// either; one inside a section is an error, because a misspelt line of TLS must not leave a door open.
pub(super) fn read(path: &Path) -> Result<Values, FileError> {
    let text = std::fs::read_to_string(path).map_err(|reason| FileError::Read { path: path.to_owned(), reason })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Values, FileError> {
    let syntax = |reason: String| FileError::Syntax { path: path.to_owned(), reason };
    let document: Option<Map<String, Value>> =
        serde_saphyr::from_str(text).map_err(|error| syntax(error.to_string()))?;
    let mut values = Values::default();
    for (key, value) in document.unwrap_or_default() {
        let wrong = |key: &str, reason| FileError::Value { path: path.to_owned(), key: key.to_owned(), reason };
        if let Some((_, keys)) = SECTIONS.iter().find(|(section, _)| *section == key) {
            let Value::Object(section) = value else { return Err(wrong(&key, "a section holds keys".to_owned())) };
            for (inner, value) in section {
                let name = keys.iter().find(|(known, _)| *known == inner).map(|(_, name)| *name);
                let flag = name.and_then(table::flag);
                let outcome = flag.ok_or_else(|| "this section has no such key".to_owned());
                outcome
                    .and_then(|flag| give(&mut values, flag, value))
                    .map_err(|reason| wrong(&format!("{key}.{inner}"), reason))?;
            }
        } else if let Some(flag) = table::flag(&key) {
            give(&mut values, flag, value).map_err(|reason| wrong(&key, reason))?;
        } else {
            values.note(&key, "unrecognized key in the configuration file");
        }
    }
    Ok(values)
}

fn give(values: &mut Values, flag: &'static Flag, value: Value) -> Result<(), String> {
    match text(flag, value)? {
        Some(text) => values.give(flag, text),
        None => Ok(()),
    }
}

/// A value as a flag would have it; None = nothing was written. A number where a duration is wanted is nanoseconds, as in
/// Go.
fn text(flag: &Flag, value: Value) -> Result<Option<String>, String> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::String(text) => text,
        Value::Bool(switch) => switch.to_string(),
        Value::Number(number) if flag.kind == Kind::Duration => format!("{number}ns"),
        Value::Number(number) => number.to_string(),
        Value::Array(items) => {
            let texts: Result<Vec<_>, _> = items.into_iter().map(|item| text(flag, item)).collect();
            texts?.into_iter().flatten().collect::<Vec<_>>().join(",")
        }
        Value::Object(_) => return Err("give a value, not a section".to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Values, FileError> {
        parse(text, Path::new("f.yaml"))
    }

    #[test]
    fn keys_are_flags_and_sections_are_etcds() {
        let text = "# etcd.conf.yml
name: 'nantes'
data-dir:
snapshot-count: 10000
heartbeat-interval: 200
grpc-keepalive-min-time: 5000000000
watch-progress-notify-interval: 5s
log-outputs: [stderr, /tmp/log]
unsafe-no-fsync: true
listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
client-transport-security:
  cert-file: /tls/crt
  client-cert-auth: true
  allowed-hostname: [a.example, b.example]
peer-transport-security:
  auto-tls: true
socket-options:
  reuse-port: true
proxy: 'off'
";
        let mut values = values(text).unwrap();
        assert_eq!(values.text("name"), "nantes");
        assert_eq!(values.number::<u64>("heartbeat-interval"), 200);
        assert_eq!(values.duration("grpc-keepalive-min-time").as_secs(), 5);
        assert_eq!(values.duration("watch-progress-notify-interval").as_secs(), 5);
        assert_eq!(values.list("log-outputs"), ["stderr", "/tmp/log"]);
        assert_eq!(values.list("client-cert-allowed-hostname"), ["a.example", "b.example"]);
        assert_eq!(values.text("cert-file"), "/tls/crt");
        for switch in ["unsafe-no-fsync", "client-cert-auth", "peer-auto-tls", "socket-reuse-port"] {
            assert!(values.switch(switch), "{switch}");
        }
        let noted: Vec<_> = values.take_notes().into_iter().map(|note| note.subject).collect();
        assert_eq!(noted, ["proxy"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("- a", "is not a YAML map"),
            ("heartbeat-interval: soon", "wrong value at heartbeat-interval: give a whole number"),
            ("client-transport-security: {cert: x}", "client-transport-security.cert: this section has no such key"),
            ("client-transport-security: 1", "client-transport-security: a section holds keys"),
            ("name: {a: b}", "name: give a value"),
        ] {
            let error = values(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        assert!(values("").unwrap().list("cipher-suites").is_empty());
    }
}
