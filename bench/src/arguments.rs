//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::workload::Workload;

pub(crate) const USAGE: &str = "\
archipel-bench: one site side by side with etcd 3.7.3, on this machine, in one interleaved run

USAGE: archipel-bench compare [OPTIONS]
       archipel-bench share [--writes N] [--archipel PATH] [--dir DIR] [--json FILE]

share: two sites share a namespace; from a write's reply at one to the watch event at the other, and bytes on the wire
    --writes N         one after the other [default: 1000]

compare: put, Kubernetes' transaction and get

    --etcd PATH        this etcd [default: 3.7.3, built once from its Go module into the cache folder]
    --archipel PATH    this archipel [default: the one beside this program, built first under cargo run]
    --dir DIR          data of both, on the disk to be measured [default: the folder of this program]
    --rounds N         alternating rounds; the medians count [default: 5]
    --seconds S        measured in each round [default: 3]
    --warm-up S        not measured before [default: 1]
    --in-flight N,…    calls at once, over up to 10 connections [default: 1,100; 1000 is a good third]
    --only NAME,…      of put, txn, get [default: all]
    --json FILE        write every round, and the summary, as JSON
    --check            print what would run, and run nothing

Every measurement has a fresh server on an empty folder, with fsync. Every reply is checked. Exit code 0 only if all were right.";

/// Connections at most; more calls at once share them.
const CONNECTIONS_MAX: usize = 10;
/// Bounds that keep a slip of the finger from running for days.
const ROUNDS_MAX: usize = 1_000;
const WRITES_MAX: usize = 1_000_000;
const SECONDS_MAX: f64 = 3_600.0;
const IN_FLIGHT_MAX: usize = 100_000;

/// A command line that cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}; see archipel-bench --help")]
pub(crate) struct ArgumentError(String);

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    Help,
    Compare(Options),
    Share(Options),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) etcd: Option<PathBuf>,
    pub(crate) archipel: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) measure: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) in_flight: Vec<usize>,
    pub(crate) workloads: Vec<Workload>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) check: bool,
    pub(crate) writes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            etcd: None,
            archipel: None,
            dir: None,
            rounds: 5,
            measure: Duration::from_secs(3),
            warm_up: Duration::from_secs(1),
            in_flight: vec![1, 100],
            workloads: Workload::ALL.to_vec(),
            json: None,
            check: false,
            writes: 1_000,
        }
    }
}

/// Over how many connections so many calls at once go.
pub(crate) fn connections(in_flight: usize) -> usize {
    in_flight.min(CONNECTIONS_MAX)
}

/// Reads the arguments after the program's name.
///
/// # Errors
/// [`ArgumentError`] names the argument.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, ArgumentError> {
    let mut arguments = arguments.into_iter();
    let wrap = match arguments.next().as_deref() {
        Some("compare") => Command::Compare,
        Some("share") => Command::Share,
        Some("--help" | "-h" | "help") => return Ok(Command::Help),
        Some(other) => return Err(ArgumentError(format!("unknown command {other:?}"))),
        None => return Err(ArgumentError("a command is missing".to_owned())),
    };
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let (name, mut inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            let value = inline.take().or_else(|| arguments.next());
            value.ok_or_else(|| ArgumentError(format!("{name} needs a value")))
        };
        match name.as_str() {
            "--etcd" => options.etcd = Some(value()?.into()),
            "--archipel" => options.archipel = Some(value()?.into()),
            "--dir" => options.dir = Some(value()?.into()),
            "--json" => options.json = Some(value()?.into()),
            "--rounds" => options.rounds = count(&value()?, ROUNDS_MAX)?,
            "--seconds" => options.measure = seconds(&value()?)?,
            "--warm-up" => options.warm_up = seconds(&value()?)?,
            "--in-flight" => options.in_flight = list(&value()?, in_flight)?,
            "--only" => options.workloads = list(&value()?, workload)?,
            "--writes" => options.writes = count(&value()?, WRITES_MAX)?,
            "--check" => options.check = true,
            "--help" | "-h" => return Ok(Command::Help),
            _ => return Err(ArgumentError(format!("unknown option {name:?}"))),
        }
        if inline.is_some() {
            return Err(ArgumentError(format!("{name} takes no value")));
        }
    }
    Ok(wrap(options))
}

fn count(text: &str, max: usize) -> Result<usize, ArgumentError> {
    let number = text.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| ArgumentError(format!("{text:?} is not a number from 1 to {max}")))
}

fn in_flight(text: &str) -> Result<usize, ArgumentError> {
    let number = count(text, IN_FLIGHT_MAX)?;
    if number.is_multiple_of(connections(number)) {
        return Ok(number);
    }
    Err(ArgumentError(format!("{number} calls cannot be dealt out evenly to {CONNECTIONS_MAX} connections")))
}

fn seconds(text: &str) -> Result<Duration, ArgumentError> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| ArgumentError(format!("{text:?} is not a time from 0 to {SECONDS_MAX} s")))?;
    Ok(Duration::from_secs_f64(seconds))
}

fn workload(text: &str) -> Result<Workload, ArgumentError> {
    let found = Workload::ALL.into_iter().find(|workload| workload.name() == text);
    found.ok_or_else(|| ArgumentError(format!("there is no workload {text:?}")))
}

fn list<T>(text: &str, one: impl Fn(&str) -> Result<T, ArgumentError>) -> Result<Vec<T>, ArgumentError> {
    text.split(',').map(|text| one(text.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, ArgumentError> {
        parse(line.split_ascii_whitespace().map(str::to_owned))
    }

    #[test]
    fn both_spellings_of_an_option() {
        let expected = Options {
            rounds: 2,
            measure: Duration::from_millis(1_500),
            in_flight: vec![1, 1_000],
            workloads: vec![Workload::Get, Workload::Put],
            json: Some("out.json".into()),
            check: true,
            ..Options::default()
        };
        for line in [
            "compare --rounds 2 --seconds 1.5 --in-flight 1,1000 --only get,put --json out.json --check",
            "compare --rounds=2 --seconds=1.5 --in-flight=1,1000 --only=get,put --json=out.json --check",
        ] {
            assert_eq!(parsed(line), Ok(Command::Compare(expected.clone())));
        }
        assert_eq!(parsed("compare"), Ok(Command::Compare(Options::default())));
        assert_eq!(parsed("compare --help"), Ok(Command::Help));
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        for line in [
            "",
            "measure",
            "compare --rounds",
            "compare --rounds 0",
            "compare --seconds -1",
            "compare --seconds NaN",
            "compare --in-flight 15",
            "compare --only scan",
            "compare --fast",
            "compare --check=yes",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
