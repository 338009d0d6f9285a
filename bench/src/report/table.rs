//! The table: a block a scenario, a row a number, a column a server, and Archipel's ratio to each other server.

use std::fmt::Write;

use super::metric::{METRICS, Metric, values};
use crate::compare::{Outcome, Series};
use crate::server::Found;
use crate::statistics::{Summary, summarise, summarise_ratios};

const LABEL_WIDTH: usize = 30;
const COLUMN_WIDTH: usize = 12;
/// What a ratio takes: `12.34x [12.34-12.34]`.
const RATIO_WIDTH: usize = 24;

/// The table of all outcomes: medians of the rounds, ratios as median and range of the ratios of each round.
pub(crate) fn table(outcomes: &[Outcome], servers: &[Found]) -> String {
    let names: Vec<&str> = servers.iter().map(Found::name).collect();
    outcomes.iter().map(|outcome| block(outcome, &names)).collect::<Vec<_>>().join("\n")
}

fn block(outcome: &Outcome, names: &[&str]) -> String {
    let columns: Vec<(&str, &Series)> = names.iter().copied().zip(&outcome.series).collect();
    let shown = |(_, series): &&(&str, &Series)| !series.skipped;
    let columns: Vec<_> = columns.iter().filter(shown).copied().collect();
    let own = columns.iter().find(|(name, _)| *name == "archipel").map(|(_, series)| *series);
    let others: Vec<_> = columns.iter().filter(|(name, _)| *name != "archipel" && own.is_some()).copied().collect();
    let mut text = format!("{}\n{:LABEL_WIDTH$}", outcome.scenario.title, "");
    for (name, _) in &columns {
        let _ = write!(text, "{name:>COLUMN_WIDTH$}");
    }
    for (name, _) in &others {
        let _ = write!(text, "{:>RATIO_WIDTH$}", format!("archipel to {name}"));
    }
    text.push('\n');
    for metric in METRICS.iter().filter(|metric| columns.iter().any(|(_, series)| has(series, metric))) {
        let _ = write!(text, "{:LABEL_WIDTH$}", metric.title.replace("{unit}", outcome.scenario.unit()));
        for (_, series) in &columns {
            let _ = write!(text, "{:>COLUMN_WIDTH$}", cell(series, metric));
        }
        for (_, other) in &others {
            let ratio = own.map_or_else(String::new, |own| ratio(own, other, metric));
            let _ = write!(text, "{ratio:>RATIO_WIDTH$}");
        }
        text.push('\n');
    }
    for (name, series) in names.iter().zip(&outcome.series) {
        if let Some(why) = &series.void {
            let _ = writeln!(text, "  {name} is void: {why}");
        }
    }
    text
}

fn has(series: &Series, metric: &Metric) -> bool {
    values(series, metric.name).is_some()
}

fn cell(series: &Series, metric: &Metric) -> String {
    match values(series, metric.name).and_then(summarise) {
        Some(summary) => format!("{:.*}", metric.decimals, summary.median),
        None => "-".to_owned(),
    }
}

fn ratio(of: &Series, to: &Series, metric: &Metric) -> String {
    let (Some(of), Some(to)) = (values(of, metric.name), values(to, metric.name)) else { return "-".to_owned() };
    match summarise_ratios(&of, &to) {
        Some(Summary { median, min, max }) if of.len() > 1 => format!("{median:.2}x [{min:.2}-{max:.2}]"),
        Some(Summary { median, .. }) => format!("{median:.2}x"),
        None => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Options;
    use crate::compare::Values;
    use crate::plan::scenarios;

    #[test]
    fn a_void_series_has_no_numbers_and_says_why() {
        let scenario = scenarios(&Options { in_flight: vec![100], ..Options::default() }).swap_remove(0);
        let void = Series { void: Some("no reply within 15 s".to_owned()), ..Series::default() };
        let rounds = vec![Values::from([("throughput_per_s", 1_234.0)])];
        let good = Series { rounds, ..Series::default() };
        let skipped = Series { skipped: true, ..Series::default() };
        let text = block(&Outcome { scenario, series: vec![good, void, skipped] }, &["etcd", "archipel", "null"]);
        assert!(text.starts_with("put 256 B, 100 in flight\n"), "{text}");
        assert!(text.contains("requests/s") && text.contains("1234"), "{text}");
        assert!(text.contains("archipel is void: no reply within 15 s"), "{text}");
        assert!(!text.contains("null"), "{text}");
    }
}
