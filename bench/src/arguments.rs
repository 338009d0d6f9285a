//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::plan;

pub(crate) const USAGE: &str = "\
archipel-bench: one site side by side with etcd 3.7.3, on this machine, in one interleaved run

USAGE: archipel-bench compare [OPTIONS]
       archipel-bench share [--writes N] [--archipel PATH] [--dir DIR] [--json FILE]
       archipel-bench null ADDRESS

share: two sites share a namespace; from a write's reply at one to the watch event at the other, and bytes on the wire
    --writes N         one after the other [default: 1000]

null: the product's transport with canned replies and no store; compare starts it by itself, as the limit

compare: the table of README's section on benchmarks

    --etcd PATH        this etcd [default: 3.7.3, built once from its Go module into the cache folder]
    --archipel PATH    this archipel [default: the one beside this program, built first under cargo run]
    --kine PATH        kine on SQLite as well
    --no-etcd          without etcd, for tuning
    --no-null          without the null server
    --dir DIR          data of all, on the disk to be measured [default: the folder of this program]
    --rounds N         alternating rounds of what is a rate; the medians count [default: 5]
    --heavy-rounds N   the same of what takes minutes [default: 1]
    --seconds S        measured in each round [default: 2]
    --warm-up S        not measured before [default: 0.5]
    --in-flight N,…    calls at once, over up to 10 connections, for put, txn and get [default: 1,100,1000]
                       (also --clients)
    --only NAME,…      these rows, see below
    --all              all rows, which takes an hour or more
    --out DIR          where bench.json and bench.svg go [default: target/bench]
    --json FILE        the same JSON here
    --check            print what would run, and run nothing

Rows: put txn get list range-stream watch-50 watch-1 mix leases idle-watchers background keys-100k, and, only when they are
named or with --all, keys-1m rewrites small-memory.
For tuning: compare --only put,txn --clients 100 --rounds 1 --seconds 3 --no-etcd

Every rate has a fresh server on an empty folder, with fsync. Every reply is checked. Exit code 0 only if all were right.";

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
    /// Serve canned replies at this address.
    Null(SocketAddr),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    pub(crate) etcd: Option<PathBuf>,
    pub(crate) archipel: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) kine: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) heavy_rounds: usize,
    pub(crate) measure: Duration,
    pub(crate) warm_up: Duration,
    pub(crate) in_flight: Vec<usize>,
    pub(crate) only: Option<Vec<String>>,
    pub(crate) all: bool,
    pub(crate) out: PathBuf,
    pub(crate) json: Option<PathBuf>,
    pub(crate) check: bool,
    pub(crate) no_etcd: bool,
    pub(crate) no_null: bool,
    pub(crate) writes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            etcd: None,
            archipel: None,
            dir: None,
            kine: None,
            rounds: 5,
            heavy_rounds: 1,
            measure: Duration::from_secs(2),
            warm_up: Duration::from_millis(500),
            in_flight: vec![1, 100, 1_000],
            only: None,
            all: false,
            out: PathBuf::from("target/bench"),
            json: None,
            check: false,
            no_etcd: false,
            no_null: false,
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
        Some("null") => return null(arguments.next()),
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
            "--in-flight" | "--clients" => options.in_flight = list(&value()?, in_flight)?,
            "--heavy-rounds" => options.heavy_rounds = count(&value()?, ROUNDS_MAX)?,
            "--kine" => options.kine = Some(value()?.into()),
            "--only" => options.only = Some(list(&value()?, row)?),
            "--all" => options.all = true,
            "--out" => options.out = value()?.into(),
            "--no-null" => options.no_null = true,
            "--writes" => options.writes = count(&value()?, WRITES_MAX)?,
            "--no-etcd" => options.no_etcd = true,
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

fn row(text: &str) -> Result<String, ArgumentError> {
    match plan::names().find(|name| *name == text) {
        Some(name) => Ok(name.to_owned()),
        None => Err(ArgumentError(format!("there is no row {text:?}"))),
    }
}

fn null(address: Option<String>) -> Result<Command, ArgumentError> {
    let address = address.and_then(|address| address.parse().ok());
    address.map(Command::Null).ok_or_else(|| ArgumentError("null needs an address such as 127.0.0.1:2379".to_owned()))
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
            only: Some(vec!["get".to_owned(), "put".to_owned()]),
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
        assert_eq!(parsed("null 127.0.0.1:7"), Ok(Command::Null(([127, 0, 0, 1], 7).into())));
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
            "null",
            "null here",
            "compare --fast",
            "compare --check=yes",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
