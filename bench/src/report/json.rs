//! Every round as it was measured, with the summary of the table and the goals.

use serde_json::{Map, Value, json};

use super::goals::Verdict;
use super::machine::Machine;
use super::metric::{METRICS, values};
use crate::arguments::{Options, connections};
use crate::compare::{Outcome, Series};
use crate::server::Found;
use crate::statistics::{Summary, summarise, summarise_ratios};

/// The version of this document; it changes when a name in it changes its meaning.
const FORMAT: u32 = 2;

/// The document that `--out` and `--json` write.
pub(crate) fn json(
    options: &Options,
    machine: &Machine,
    servers: &[Found],
    outcomes: &[Outcome],
    verdicts: &[Verdict],
) -> Value {
    let programs: Vec<Value> = servers
        .iter()
        .map(|server| json!({ "name": server.name(), "version": server.version, "path": server.path }))
        .collect();
    json!({
        "format": FORMAT,
        "machine": {
            "processor": machine.processor,
            "cores": machine.cores,
            "kernel": machine.kernel,
            "file_system": machine.file_system,
        },
        "measure_s": options.measure.as_secs_f64(),
        "warm_up_s": options.warm_up.as_secs_f64(),
        "servers": programs,
        "scenarios": outcomes.iter().map(|outcome| scenario(outcome, servers)).collect::<Vec<_>>(),
        "goals": verdicts.iter().map(goal).collect::<Vec<_>>(),
    })
}

fn scenario(outcome: &Outcome, servers: &[Found]) -> Value {
    let mut series = Map::new();
    for (number, (one, server)) in outcome.series.iter().zip(servers).enumerate() {
        let first = (number > 0).then(|| outcome.series.first()).flatten();
        series.insert(server.name().to_owned(), of_series(one, first));
    }
    json!({
        "workload": outcome.scenario.name,
        "title": outcome.scenario.title,
        "unit": outcome.scenario.unit(),
        "in_flight": outcome.scenario.in_flight,
        "connections": connections(outcome.scenario.in_flight),
        "series": series,
    })
}

fn of_series(series: &Series, first: Option<&Series>) -> Value {
    let mut metrics = Map::new();
    for metric in &METRICS {
        let Some(rounds) = values(series, metric.name) else { continue };
        let to_first = first.and_then(|first| summarise_ratios(&rounds, &values(first, metric.name)?));
        let summary = summarise(rounds.iter().copied()).map(of_summary);
        let ratio = to_first.map(of_summary);
        metrics.insert(metric.name.to_owned(), json!({ "rounds": rounds, "summary": summary, "to_first": ratio }));
    }
    json!({ "void": series.void, "metrics": metrics })
}

fn of_summary(summary: Summary) -> Value {
    json!({ "median": summary.median, "min": summary.min, "max": summary.max })
}

fn goal(verdict: &Verdict) -> Value {
    json!({
        "row": verdict.title,
        "metric": verdict.metric,
        "against": verdict.against,
        "goal": verdict.goal,
        "at_least": verdict.at_least,
        "measured": verdict.measured,
        "reached": verdict.reached,
    })
}
