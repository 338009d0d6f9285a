//! The interleaved run: each round measures every server, in turns, so that a slow phase of the machine hits them alike.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;

use archipel::demo::kubernetes::{ProcessError, Progress};

use crate::arguments::Options;
use crate::load::{LoadError, Measurement};
use crate::plan::{Scenario, Work};
use crate::server::{Found, Running, StartError};
use crate::story::Stage;
use crate::sync_probe::sync_probe;
use crate::workload::Rate;

/// What one server did in one round, by the names of [`crate::report`]'s metrics.
pub(crate) type Values = BTreeMap<&'static str, f64>;

/// One server's rounds of one scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    pub(crate) rounds: Vec<Values>,
    /// Why this series counts for nothing. It is not measured any further then.
    pub(crate) void: Option<String>,
    /// It is not this server's fault: the scenario is not for it, or not possible on this machine.
    pub(crate) skipped: bool,
}

/// A scenario's series, in the order of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) series: Vec<Series>,
}

/// Why a round is void.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("what the server used cannot be read: {0}")]
    Usage(#[from] std::io::Error),
    #[error("skipped: {0}")]
    Skipped(&'static str),
}

/// The order in which round `round` measures `count` servers: turned by one each time, so that none is always first.
fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |position| (position + round) % count)
}

/// Measures everything; errors are part of the outcome.
pub(crate) fn measure(options: &Options, scenarios: &[Scenario], servers: &[Found], folder: &Path) -> Vec<Outcome> {
    let none = |scenario: &Scenario| Outcome { scenario: scenario.clone(), series: none(scenario, servers) };
    let mut outcomes: Vec<Outcome> = scenarios.iter().map(none).collect();
    let rounds = outcomes.iter().map(|outcome| outcome.scenario.rounds).max().unwrap_or(0);
    let progress = Progress::new("measuring");
    for round in 0..rounds {
        for outcome in outcomes.iter_mut().filter(|outcome| round < outcome.scenario.rounds) {
            for number in order(round, servers.len()) {
                let (Some(server), Some(series)) = (servers.get(number), outcome.series.get_mut(number)) else {
                    continue;
                };
                if series.void.is_none() && !series.skipped {
                    let at = format!("round {} of {}", round + 1, outcome.scenario.rounds);
                    progress.update(&format!("{at}: {}, {}", outcome.scenario.title, server.name()));
                    let measured = measure_once(options, &outcome.scenario, server, folder);
                    note(series, &format!("{at}: {}: {}", outcome.scenario.title, server.name()), measured);
                }
            }
        }
    }
    outcomes
}

fn none(scenario: &Scenario, servers: &[Found]) -> Vec<Series> {
    let is_for = |server: &Found| !server.is_limit() || matches!(&scenario.work, Work::Rate(rate) if rate.has_limit);
    servers.iter().map(|server| Series { skipped: !is_for(server), ..Series::default() }).collect()
}

fn note(series: &mut Series, what: &str, measured: Result<Values, RoundError>) {
    match measured {
        Ok(values) => {
            let first = ["throughput_per_s", "load_per_s", "p99_idle_ms", "idle_watcher_bytes"];
            let shown = first.iter().find_map(|name| Some((name, values.get(name)?)));
            let shown = shown.map_or_else(String::new, |(name, value)| format!(" {name} {value:.0}"));
            eprintln!("{}{what}{shown}", start_of_line());
            series.rounds.push(values);
        }
        Err(error) => {
            eprintln!("{}{what}: VOID: {error}", start_of_line());
            series.skipped = matches!(error, RoundError::Skipped(_));
            series.void = Some(error.to_string());
        }
    }
}

/// What takes the progress line off a terminal.
fn start_of_line() -> &'static str {
    if std::io::stderr().is_terminal() { "\r\x1b[2K" } else { "" }
}

fn measure_once(options: &Options, scenario: &Scenario, program: &Found, folder: &Path) -> Result<Values, RoundError> {
    match &scenario.work {
        Work::Story(story) => story(&Stage { program, folder }),
        Work::Rate(rate) => measure_rate(options, scenario.in_flight, rate, program, folder),
    }
}

fn measure_rate(
    options: &Options,
    in_flight: usize,
    rate: &Rate,
    program: &Found,
    folder: &Path,
) -> Result<Values, RoundError> {
    // Beside the server whose wait for the disk it explains, so that both see the same phase of the disk.
    let sync = (rate.has_limit && in_flight == 1 && !program.is_limit()).then(|| sync_probe(folder)).transpose()?;
    let server = Running::start(program, folder)?;
    let outcome = load(options, in_flight, rate, &server);
    // A server that has died says why better than the connection that broke.
    server.check()?;
    let measurement = outcome?;
    let mut values = of_measurement(&measurement);
    values.extend([("peak_memory_mib", server.peak_memory_mib()?), ("start_ms", server.started_in_ms())]);
    if !program.is_limit() {
        values.insert("disk_mib", server.disk_mib()?);
    }
    values.extend(sync.iter().flat_map(|sync| [("sync_p50_ms", sync.p50_ms), ("sync_p99_ms", sync.p99_ms)]));
    Ok(values)
}

fn load(options: &Options, in_flight: usize, rate: &Rate, server: &Running) -> Result<Measurement, LoadError> {
    let preparation = (rate.preparation)();
    if !preparation.is_empty() {
        server.exhaust(preparation)?;
    }
    server.load((rate.groups)(in_flight), options.warm_up, options.measure)
}

fn of_measurement(measurement: &Measurement) -> Values {
    Values::from([
        ("throughput_per_s", measurement.throughput()),
        ("latency_p50_ms", measurement.latency_ms(0.5)),
        ("latency_p99_ms", measurement.latency_ms(0.99)),
        ("latency_p999_ms", measurement.latency_ms(0.999)),
        ("server_cpu_us", measurement.server_cpu_us()),
        ("generator_cpu_us", measurement.generator_cpu_us()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_turns_in_being_first() {
        let orders: Vec<Vec<usize>> = (0..3).map(|round| order(round, 2).collect()).collect();
        assert_eq!(orders, [vec![0, 1], vec![1, 0], vec![0, 1]]);
    }
}
