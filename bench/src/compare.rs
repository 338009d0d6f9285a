//! The interleaved run: each round measures every server, in turns, so that a slow phase of the machine hits them alike.

use std::path::Path;

use crate::arguments::{Options, connections};
use crate::load::{LoadError, Measurement, Schedule, run};
use crate::server::{Found, Running, StartError};
use crate::workload::Workload;

/// Calls at once while a store is filled before a measurement.
const PREPARE_IN_FLIGHT: usize = 100;

/// One workload at one number of calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) workload: Workload,
    pub(crate) in_flight: usize,
}

/// What one server did in one round.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) measurement: Measurement,
    pub(crate) peak_memory_bytes: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) start_ms: f64,
}

/// One server's rounds of one scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    pub(crate) rounds: Vec<Round>,
    /// Why this series counts for nothing. It is not measured any further then.
    pub(crate) void: Option<String>,
}

/// A scenario's series, in the order of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) series: Vec<Series>,
}

#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("what the server used cannot be read: {0}")]
    Usage(#[from] std::io::Error),
}

/// Every scenario that the options ask for, in the order of the table.
pub(crate) fn scenarios(options: &Options) -> Vec<Scenario> {
    let of = |workload: &Workload| {
        let workload = *workload;
        options.in_flight.iter().map(move |in_flight| Scenario { workload, in_flight: *in_flight })
    };
    options.workloads.iter().flat_map(of).collect()
}

/// The order in which round `round` measures `count` servers: turned by one each time, so that none is always first.
fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |position| (position + round) % count)
}

/// Measures everything; errors are part of the outcome.
pub(crate) fn measure(options: &Options, servers: &[Found], folder: &Path) -> Vec<Outcome> {
    let none = |scenario| Outcome { scenario, series: vec![Series::default(); servers.len()] };
    let mut outcomes: Vec<Outcome> = scenarios(options).into_iter().map(none).collect();
    for round in 0..options.rounds {
        for outcome in &mut outcomes {
            for number in order(round, servers.len()) {
                let (Some(server), Some(series)) = (servers.get(number), outcome.series.get_mut(number)) else {
                    continue;
                };
                if series.void.is_some() {
                    continue;
                }
                match measure_once(options, outcome.scenario, server, folder) {
                    Ok(one) => {
                        eprintln!("{}", line(round, outcome.scenario, server, &one.measurement));
                        series.rounds.push(one);
                    }
                    Err(error) => {
                        eprintln!("round {}: {}, {}: VOID: {error}", round + 1, title(outcome.scenario), server.name());
                        series.void = Some(error.to_string());
                    }
                }
            }
        }
    }
    outcomes
}

/// A scenario for a reader.
pub(crate) fn title(scenario: Scenario) -> String {
    format!("{}, {} in flight", scenario.workload.title(), scenario.in_flight)
}

fn line(round: usize, scenario: Scenario, server: &Found, measurement: &Measurement) -> String {
    let (title, name) = (title(scenario), server.name());
    format!("round {}: {title}: {name} {:.0} requests/s", round + 1, measurement.throughput())
}

fn measure_once(options: &Options, scenario: Scenario, program: &Found, folder: &Path) -> Result<Round, RoundError> {
    let server = Running::start(program, folder)?;
    let outcome = measure_on(options, scenario, &server);
    // A server that has died says why better than the connection that broke.
    server.check().map_err(StartError::from)?;
    Ok(Round {
        measurement: outcome?,
        peak_memory_bytes: server.peak_memory_bytes()?,
        disk_bytes: server.disk_bytes()?,
        start_ms: server.started_in().as_secs_f64() * 1e3,
    })
}

fn measure_on(options: &Options, scenario: Scenario, server: &Running) -> Result<Measurement, LoadError> {
    let preparation = scenario.workload.preparation(PREPARE_IN_FLIGHT);
    if !preparation.is_empty() {
        run(server.target(connections(PREPARE_IN_FLIGHT)), preparation, Schedule::Exhaust)?;
    }
    let clients = scenario.workload.clients(scenario.in_flight);
    let schedule = Schedule::Window { warm_up: options.warm_up, measure: options.measure };
    run(server.target(connections(scenario.in_flight)), clients, schedule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_take_turns_in_being_first() {
        let orders: Vec<Vec<usize>> = (0..3).map(|round| order(round, 2).collect()).collect();
        assert_eq!(orders, [vec![0, 1], vec![1, 0], vec![0, 1]]);
    }

    #[test]
    fn each_workload_runs_at_each_number_in_flight() {
        let options = Options { in_flight: vec![1, 100, 1_000], ..Options::default() };
        let all = scenarios(&options);
        assert_eq!(all.len(), 9);
        assert_eq!(all[1], Scenario { workload: Workload::Put, in_flight: 100 });
    }
}
