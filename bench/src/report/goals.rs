//! What this project wants to reach, as data, and whether it did.

use std::fmt::Write;

use super::metric::values;
use crate::compare::{Outcome, Series};
use crate::server::Found;
use crate::statistics::{summarise, summarise_ratios};

/// What a number is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Against {
    /// etcd's of the same rounds.
    Etcd,
    /// Nothing: the number itself.
    Itself,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Against::{Etcd, Itself};
use Bound::{AtLeast, AtMost};

/// The row's name, the numbers in flight (all when empty), the metric, and what it must be.
type Goal = (&'static str, &'static [usize], &'static str, Against, Bound);

const ONE: &[usize] = &[1];
const MANY: &[usize] = &[100, 1_000];
const ANY: &[usize] = &[];

#[rustfmt::skip]
const GOALS: [Goal; 39] = [
    ("put", ONE, "throughput_per_s", Etcd, AtLeast(2.0)),
    ("put", ONE, "p50_to_floor", Itself, AtMost(1.5)),
    ("put", MANY, "throughput_per_s", Etcd, AtLeast(3.0)),
    ("put", MANY, "server_cpu_us", Etcd, AtMost(0.35)),
    ("put", MANY, "cpu_to_null", Itself, AtMost(2.0)),
    ("txn", ONE, "throughput_per_s", Etcd, AtLeast(2.0)),
    ("txn", ONE, "p50_to_floor", Itself, AtMost(1.5)),
    ("txn", MANY, "throughput_per_s", Etcd, AtLeast(3.5)),
    ("txn", MANY, "server_cpu_us", Etcd, AtMost(0.3)),
    ("txn", MANY, "cpu_to_null", Itself, AtMost(2.0)),
    ("get", MANY, "throughput_per_s", Etcd, AtLeast(2.0)),
    ("get", MANY, "server_cpu_us", Etcd, AtMost(0.4)),
    ("list", ANY, "throughput_per_s", Etcd, AtLeast(3.0)),
    ("range-stream", ANY, "throughput_per_s", Etcd, AtLeast(3.0)),
    ("watch-50", ANY, "throughput_per_s", Etcd, AtLeast(3.0)),
    ("watch-1", ANY, "throughput_per_s", Etcd, AtLeast(3.0)),
    ("idle-watchers", ANY, "idle_watcher_bytes", Itself, AtMost(1_024.0)),
    ("mix", ANY, "server_cpu_us", Etcd, AtMost(0.35)),
    ("mix", ANY, "latency_p99_ms", Etcd, AtMost(0.7)),
    ("leases", ANY, "server_cpu_us", Etcd, AtMost(0.35)),
    ("leases", ANY, "latency_p99_ms", Etcd, AtMost(0.7)),
    ("background", ANY, "compacting_to_idle", Itself, AtMost(2.0)),
    ("background", ANY, "defragmenting_to_idle", Itself, AtMost(2.0)),
    ("background", ANY, "snapshotting_to_idle", Itself, AtMost(2.0)),
    ("keys-100k", ANY, "restart_ms", Itself, AtMost(2_000.0)),
    ("keys-1m", ANY, "page_ms", Etcd, AtMost(0.01)),
    ("keys-1m", ANY, "count_ms", Etcd, AtMost(0.01)),
    ("keys-1m", ANY, "page_growth", Itself, AtMost(1.5)),
    ("keys-1m", ANY, "count_growth", Itself, AtMost(1.5)),
    ("keys-1m", ANY, "restart_ms", Etcd, AtMost(1.0 / 3.0)),
    ("keys-1m", ANY, "memory_mib", Etcd, AtMost(0.5)),
    ("keys-1m", ANY, "memory_restarted_mib", Etcd, AtMost(0.5)),
    ("keys-1m", ANY, "disk_mib", Etcd, AtMost(1.0)),
    ("rewrites", ANY, "disk_compacted_mib", Etcd, AtMost(1.0)),
    ("rewrites", ANY, "disk_defragmented_mib", Etcd, AtMost(1.0)),
    ("small-memory", ANY, "served_within_limit", Itself, AtLeast(1.0)),
    ("small-memory", ANY, "killed_for_memory", Itself, AtMost(0.0)),
    // The generator must not be what is measured.
    ("put", MANY, "generator_cpu_us", Itself, AtMost(6.0)),
    ("txn", MANY, "generator_cpu_us", Itself, AtMost(6.0)),
];

/// One goal, as it was measured; a goal whose numbers are missing is not here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) title: String,
    pub(crate) metric: &'static str,
    /// `to etcd`, or nothing for the number itself.
    pub(crate) against: &'static str,
    pub(crate) goal: f64,
    pub(crate) at_least: bool,
    pub(crate) measured: f64,
    pub(crate) reached: bool,
}

/// All goals that the outcomes can answer, in the order of the table.
pub(crate) fn verdicts(outcomes: &[Outcome], servers: &[Found]) -> Vec<Verdict> {
    let place = |name: &str| servers.iter().position(|server| server.name() == name);
    let Some(ours) = place("archipel") else { return Vec::new() };
    let etcd = place("etcd");
    let mut verdicts = Vec::new();
    for outcome in outcomes {
        let Some(own) = outcome.series.get(ours) else { continue };
        let theirs = etcd.and_then(|etcd| outcome.series.get(etcd));
        let of_row = |goal: &&Goal| {
            goal.0 == outcome.scenario.name && (goal.1.is_empty() || goal.1.contains(&outcome.scenario.in_flight))
        };
        for goal in GOALS.iter().filter(of_row) {
            verdicts.extend(verdict(&outcome.scenario.title, goal, own, theirs));
        }
    }
    verdicts
}

fn verdict(title: &str, goal: &Goal, own: &Series, etcd: Option<&Series>) -> Option<Verdict> {
    let (_, _, metric, against, bound) = *goal;
    let own = values(own, metric)?;
    let measured = match against {
        Etcd => summarise_ratios(&own, &values(etcd?, metric)?)?.median,
        Itself => summarise(own)?.median,
    };
    let (goal, at_least, reached) = match bound {
        AtLeast(goal) => (goal, true, measured >= goal),
        AtMost(goal) => (goal, false, measured <= goal),
    };
    let against = if against == Etcd { "to etcd" } else { "" };
    Some(Verdict { title: title.to_owned(), metric, against, goal, at_least, measured, reached })
}

/// The goals for a reader, one a line, and how many were reached.
pub(crate) fn summary(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let Verdict { title, metric, against, goal, measured, .. } = verdict;
        let (sign, word) =
            (if verdict.at_least { "≥" } else { "≤" }, if verdict.reached { "reached" } else { "MISSED" });
        let what = format!("{title}: {metric} {against}");
        let _ = writeln!(text, "{what:<88} {sign} {goal:<8.2} is {measured:<10.3} {word}");
    }
    let reached = verdicts.iter().filter(|verdict| verdict.reached).count();
    let _ = writeln!(text, "{reached} of {} goals reached", verdicts.len());
    text
}

#[cfg(test)]
mod tests {
    use super::super::metric::METRICS;
    use super::*;
    use crate::compare::Values;

    #[test]
    fn every_goal_names_a_row_and_a_metric_that_exist() {
        for (row, _, metric, ..) in GOALS {
            assert!(crate::plan::names().any(|name| name == row), "{row}");
            assert!(METRICS.iter().any(|known| known.name == metric), "{metric}");
        }
    }

    #[test]
    fn a_ratio_is_that_of_the_rounds() {
        let series = |rounds: [f64; 2]| Series {
            rounds: rounds.map(|value| Values::from([("throughput_per_s", value)])).to_vec(),
            ..Series::default()
        };
        let goal = ("put", ANY, "throughput_per_s", Etcd, AtLeast(3.0));
        let found = verdict("put", &goal, &series([30.0, 62.0]), Some(&series([10.0, 20.0]))).unwrap();
        assert_eq!((found.measured, found.reached), (3.05, true));
        let void = Series { void: Some(String::new()), ..series([1.0, 1.0]) };
        assert_eq!(verdict("put", &goal, &series([30.0, 62.0]), Some(&void)), None);
        assert_eq!(verdict("put", &goal, &series([30.0, 62.0]), None), None);
    }
}
