//! How verbs print: aligned tables for people, JSON with stable field names for programs.

use crate::clock::now_unix_ms;
use clap::ValueEnum;
use serde_json::Value;

/// `-o`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// A table whose columns are as wide as their widest cell.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

/// Between two columns.
const GAP: &str = "   ";

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|&heading| heading.to_owned()).collect()] }
    }

    /// Adds a row. An empty cell is shown as `-`.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }).to_vec());
    }

    /// The table as text, each line with its end.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|i| self.rows.iter().filter_map(|row| row.get(i)).map(|cell| cell.chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}"));
            text.push_str(cells.collect::<Vec<_>>().join(GAP).trim_end());
            text.push('\n');
        }
        text
    }
}

/// Prints a JSON document.
pub(crate) fn print_json(value: &Value) {
    println!("{value:#}");
}

/// How long ago, in the largest fitting unit: `3s`, `12m`, `5h`, `9d`.
pub(crate) fn ago(unix_ms: u64) -> String {
    if unix_ms == 0 { String::new() } else { seconds(now_unix_ms().saturating_sub(unix_ms) as f64 / 1000.0) }
}

/// A time span in the largest fitting unit.
pub(crate) fn seconds(s: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match s {
        s if s < 10.0 => format!("{s:.1}s"),
        s if s < 2.0 * MINUTE => format!("{s:.0}s"),
        s if s < 2.0 * HOUR => format!("{:.0}m", s / MINUTE),
        s if s < 2.0 * DAY => format!("{:.0}h", s / HOUR),
        s => format!("{:.0}d", s / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_empty_cells_are_shown() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row(["nantes".into(), "connected".into()]);
        table.row(["é".into(), String::new()]);
        assert_eq!(table.render(), "NAME     STATE\nnantes   connected\né        -\n");
    }

    #[test]
    fn spans_are_short() {
        let shown: Vec<String> = [0.25, 30.0, 600.0, 7200.0, 90_000.0, 864_000.0].iter().map(|&s| seconds(s)).collect();
        assert_eq!(shown, ["0.2s", "30s", "10m", "2h", "25h", "10d"]);
    }
}
