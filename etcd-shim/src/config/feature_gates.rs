//! etcd's feature gates (server/features/etcd_features.go). Names and defaults are known, so that a misspelt gate is an
//! error; none of them changes what a site does.

use super::flag::switch;
use thiserror::Error;

/// A gate: its name, its default, its stage.
const GATES: &[(&str, bool, Stage)] = &[
    ("CompactHashCheck", false, Stage::Alpha),
    ("FastLeaseKeepAlive", true, Stage::Beta),
    ("InitialCorruptCheck", false, Stage::Alpha),
    ("LeaseCheckpoint", false, Stage::Alpha),
    ("LeaseCheckpointPersist", false, Stage::Alpha),
    ("PriorityRequest", false, Stage::Alpha),
    ("SetMemberLocalAddr", false, Stage::Alpha),
    ("StopGRPCServiceOnDefrag", false, Stage::Alpha),
    ("TxnModeWriteWithSharedBuffer", true, Stage::Beta),
];
/// The gates that stand for others.
const GROUPS: &[(&str, Stage)] = &[("AllAlpha", Stage::Alpha), ("AllBeta", Stage::Beta)];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Alpha,
    Beta,
}

/// A text that sets no gates.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum GateError {
    /// No value.
    #[error("missing bool value for {0}: write {0}=true")]
    NoValue(String),
    /// A value that is neither true nor false.
    #[error("invalid value of {gate}={value}: give true or false")]
    Value {
        /// The gate.
        gate: String,
        /// Its value.
        value: String,
    },
    /// No such gate.
    #[error("unrecognized feature gate: {0}")]
    Unknown(String),
    /// A gate that needs another.
    #[error("enabling feature gate LeaseCheckpointPersist requires enabling feature gate LeaseCheckpoint")]
    Persist,
}

/// Reads `NAME=true,NAME=false`; the last of two wins, a gate wins over its group. Returns the gates that are then not at
/// their default.
///
/// # Errors
/// The first gate that makes no sense.
pub(super) fn read(text: &str) -> Result<Vec<&'static str>, GateError> {
    let mut groups = Vec::new();
    let mut named = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (name, value) = item.split_once('=').ok_or_else(|| GateError::NoValue(item.to_owned()))?;
        let (name, value) = (name.trim(), value.trim());
        let refused = || GateError::Value { gate: name.to_owned(), value: value.to_owned() };
        let on = switch(value).ok_or_else(refused)?;
        if let Some((_, stage)) = GROUPS.iter().find(|(group, _)| *group == name) {
            groups.push((*stage, on));
        } else if let Some((gate, ..)) = GATES.iter().find(|(gate, ..)| *gate == name) {
            named.push((*gate, on));
        } else {
            return Err(GateError::Unknown(name.to_owned()));
        }
    }
    let is_on = |(gate, default, stage): &(&'static str, bool, Stage)| {
        let of_group = groups.iter().rfind(|(group, _)| group == stage).map(|(_, on)| *on);
        let of_name = named.iter().rfind(|(name, _)| name == gate).map(|(_, on)| *on);
        of_name.or(of_group).unwrap_or(*default)
    };
    let named_on = |name: &str| GATES.iter().any(|gate| gate.0 == name && is_on(gate));
    if named_on("LeaseCheckpointPersist") && !named_on("LeaseCheckpoint") {
        return Err(GateError::Persist);
    }
    Ok(GATES.iter().filter(|gate| is_on(gate) != gate.1).map(|(gate, ..)| *gate).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gates_groups_and_the_last_of_two() {
        assert_eq!(read(""), Ok(vec![]));
        assert_eq!(read("InitialCorruptCheck=true,TxnModeWriteWithSharedBuffer=true"), Ok(vec!["InitialCorruptCheck"]));
        assert_eq!(read("CompactHashCheck=true,CompactHashCheck=false"), Ok(vec![]));
        assert_eq!(read("AllBeta=false,FastLeaseKeepAlive=true"), Ok(vec!["TxnModeWriteWithSharedBuffer"]));
        assert_eq!(read("AllAlpha=true").map(|gates| gates.len()), Ok(7));
    }

    #[test]
    fn what_is_no_gate_is_refused() {
        assert_eq!(read("NoSuchGate=true"), Err(GateError::Unknown("NoSuchGate".into())));
        assert!(matches!(read("CompactHashCheck"), Err(GateError::NoValue(_))));
        assert!(matches!(read("CompactHashCheck=maybe"), Err(GateError::Value { .. })));
        assert_eq!(read("LeaseCheckpointPersist=true"), Err(GateError::Persist));
        assert!(read("LeaseCheckpointPersist=true,LeaseCheckpoint=true").is_ok());
    }
}
