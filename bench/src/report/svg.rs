//! The charts, written by hand: no library draws two bars better. Left what each server does, each row on a scale of its own;
//! right Archipel's ratio to etcd on one logarithmic scale, with the goal as a tick.

use std::fmt::Write;

use super::goals::Verdict;
use super::metric::{METRICS, values};
use crate::compare::{Outcome, Series};
use crate::server::Found;
use crate::statistics::{summarise, summarise_ratios};

const WIDTH: f64 = 1_180.0;
const LABEL: f64 = 330.0;
/// The left panel's bars, and where the right panel begins and how far it reaches.
const BARS: f64 = 300.0;
const RATIOS: f64 = 740.0;
const RATIOS_WIDTH: f64 = 400.0;
const BAR: f64 = 13.0;
const GAP: f64 = 12.0;
const TOP: f64 = 64.0;
/// The right panel reaches from a hundredth to a hundred times.
const DECADES: f64 = 2.0;
const COLOURS: [&str; 4] = ["#8a9ba8", "#1f6feb", "#c9a227", "#2da44e"];
/// What stands for a row: the first of these that it has.
const MAIN: [&str; 6] =
    ["throughput_per_s", "page_ms", "p99_compacting_ms", "disk_compacted_mib", "idle_watcher_bytes", "load_per_s"];

/// One drawing of all outcomes.
pub(crate) fn svg(outcomes: &[Outcome], servers: &[Found], verdicts: &[Verdict]) -> String {
    let mut body = String::new();
    let mut y = TOP;
    for outcome in outcomes {
        row(&mut body, &mut y, outcome, servers, verdicts);
    }
    let height = y + GAP;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (number, server) in servers.iter().enumerate() {
        let x = LABEL + 90.0 * number as f64;
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"14\" width=\"12\" height=\"12\" fill=\"{}\"/><text x=\"{}\" y=\"24\">{}</text>",
            colour(number),
            x + 16.0,
            server.name()
        );
    }
    let _ = writeln!(text, "<text x=\"{RATIOS}\" y=\"24\">archipel to etcd (tick: goal)</text>");
    for (ratio, name) in [(0.01, "0.01"), (0.1, "0.1"), (1.0, "1"), (10.0, "10"), (100.0, "100")] {
        let x = ratio_x(ratio);
        let _ = writeln!(
            text,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"50\" y2=\"{y:.1}\" stroke=\"#d0d7de\"/>\
             <text x=\"{x:.1}\" y=\"44\" text-anchor=\"middle\">{name}x</text>"
        );
    }
    text + &body + "</svg>\n"
}

fn row(body: &mut String, y: &mut f64, outcome: &Outcome, servers: &[Found], verdicts: &[Verdict]) {
    let has = |name: &&&str| outcome.series.iter().any(|series| values(series, name).is_some());
    let Some(metric) = MAIN.iter().find(has) else { return };
    let title = METRICS.iter().find(|known| known.name == *metric).map_or("", |known| known.title);
    let title = format!("{}: {}", outcome.scenario.title, title.replace("{unit}", outcome.scenario.unit()));
    let medians: Vec<_> =
        outcome.series.iter().map(|series| Some(summarise(values(series, metric)?)?.median)).collect();
    let max = medians.iter().flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
    let top = *y;
    let _ = writeln!(body, "<text x=\"8\" y=\"{:.1}\">{}</text>", top + 11.0, escaped(&title));
    *y += BAR + 3.0;
    for (number, median) in medians.iter().enumerate() {
        let Some(median) = median else { continue };
        let width = (BARS * median / max).max(1.0);
        let _ = writeln!(
            body,
            "<rect x=\"{LABEL}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            colour(number),
            LABEL + width + 4.0,
            *y + 11.0,
            short(*median)
        );
        *y += BAR + 1.0;
    }
    ratio_bar(body, top + BAR + 3.0, outcome, servers, metric, verdicts);
    *y += GAP;
}

fn ratio_bar(body: &mut String, y: f64, outcome: &Outcome, servers: &[Found], metric: &str, verdicts: &[Verdict]) {
    let series = |name: &str| -> Option<&Series> {
        outcome.series.get(servers.iter().position(|server| server.name() == name)?)
    };
    let both = || Some((values(series("archipel")?, metric)?, values(series("etcd")?, metric)?));
    let Some(ratio) = both().and_then(|(own, etcd)| summarise_ratios(&own, &etcd)) else { return };
    let (one, end) = (ratio_x(1.0), ratio_x(ratio.median));
    let (x, width) = (one.min(end), (one - end).abs().max(1.0));
    let _ = writeln!(
        body,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"#1f6feb\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{:.2}x</text>",
        x + width + 4.0,
        y + 11.0,
        ratio.median
    );
    let goal = verdicts.iter().find(|verdict| {
        verdict.title == outcome.scenario.title && verdict.metric == metric && verdict.against == "to etcd"
    });
    if let Some(goal) = goal {
        let x = ratio_x(goal.goal);
        let _ = writeln!(
            body,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" y2=\"{:.1}\" stroke=\"#cf222e\" stroke-width=\"2\"/>",
            y - 3.0,
            y + BAR + 3.0
        );
    }
}

fn ratio_x(ratio: f64) -> f64 {
    let decades = ratio.max(f64::MIN_POSITIVE).log10().clamp(-DECADES, DECADES);
    RATIOS + RATIOS_WIDTH * (decades + DECADES) / (2.0 * DECADES)
}

fn colour(number: usize) -> &'static str {
    COLOURS.get(number % COLOURS.len()).copied().unwrap_or("black")
}

fn short(number: f64) -> String {
    match number {
        1e6.. => format!("{:.2}M", number / 1e6),
        1e4.. => format!("{:.0}k", number / 1e3),
        100.0.. => format!("{number:.0}"),
        _ => format!("{number:.2}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_on_a_logarithmic_scale_with_one_in_the_middle() {
        assert_eq!(ratio_x(1.0), RATIOS + RATIOS_WIDTH / 2.0);
        assert_eq!(ratio_x(1e9), RATIOS + RATIOS_WIDTH);
        assert_eq!(ratio_x(0.0), RATIOS);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.234, 123.4, 12_345.0, 1_234_567.0].map(short), ["1.23", "123", "12k", "1.23M"]);
    }
}
