//! The table: a block a scenario, a row a number, a column a server, and the ratio to the first server.

use std::fmt::Write;

use super::metric::{METRICS, Metric};
use crate::compare::{Outcome, Series, title};
use crate::server::Found;
use crate::statistics::{Summary, summarise, summarise_ratios};

const LABEL_WIDTH: usize = 28;
const COLUMN_WIDTH: usize = 12;
/// What a ratio takes: `12.34x [12.34-12.34]`.
const RATIO_WIDTH: usize = 24;

/// The table of all outcomes: medians of the rounds, ratios as median and range of the ratios of each round.
pub(crate) fn table(outcomes: &[Outcome], servers: &[Found]) -> String {
    let names: Vec<&str> = servers.iter().map(Found::name).collect();
    outcomes.iter().map(|outcome| block(outcome, &names)).collect::<Vec<_>>().join("\n")
}

fn block(outcome: &Outcome, names: &[&str]) -> String {
    let mut text = format!("{}\n{:LABEL_WIDTH$}", title(outcome.scenario), "");
    for (number, name) in names.iter().enumerate() {
        let _ = write!(text, "{name:>COLUMN_WIDTH$}");
        if number > 0 {
            let _ = write!(text, "{:>RATIO_WIDTH$}", format!("to {}", names.first().unwrap_or(&"")));
        }
    }
    text.push('\n');
    for metric in &METRICS {
        let _ = write!(text, "{:LABEL_WIDTH$}", metric.title);
        for (number, series) in outcome.series.iter().enumerate() {
            let _ = write!(text, "{:>COLUMN_WIDTH$}", cell(series, metric));
            if let (1.., Some(first)) = (number, outcome.series.first()) {
                let _ = write!(text, "{:>RATIO_WIDTH$}", ratio(series, first, metric));
            }
        }
        text.push('\n');
    }
    for (series, name) in outcome.series.iter().zip(names) {
        if let Some(why) = &series.void {
            let _ = writeln!(text, "  {name} is void: {why}");
        }
    }
    text
}

fn cell(series: &Series, metric: &Metric) -> String {
    match values(series, metric).and_then(summarise) {
        Some(summary) => format!("{:.*}", metric.decimals, summary.median),
        None => "void".to_owned(),
    }
}

fn ratio(series: &Series, first: &Series, metric: &Metric) -> String {
    let (Some(of), Some(to)) = (values(series, metric), values(first, metric)) else { return "-".to_owned() };
    match summarise_ratios(&of, &to) {
        Some(Summary { median, min, max }) => format!("{median:.2}x [{min:.2}-{max:.2}]"),
        None => "-".to_owned(),
    }
}

/// The metric of each round; `None` for a series that counts for nothing.
pub(super) fn values(series: &Series, metric: &Metric) -> Option<Vec<f64>> {
    series.void.is_none().then(|| series.rounds.iter().map(metric.of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Scenario;
    use crate::workload::Workload;

    #[test]
    fn a_void_series_has_no_numbers_and_says_why() {
        let scenario = Scenario { workload: Workload::Put, in_flight: 100 };
        let void = Series { rounds: Vec::new(), void: Some("no reply within 15 s".to_owned()) };
        let text = block(&Outcome { scenario, series: vec![Series::default(), void] }, &["etcd", "archipel"]);
        assert!(text.starts_with("put 256 B, 100 in flight\n"), "{text}");
        assert!(text.contains("archipel is void: no reply within 15 s"), "{text}");
        assert_eq!(text.matches("void").count(), 2 * METRICS.len() + 1, "{text}");
    }
}
