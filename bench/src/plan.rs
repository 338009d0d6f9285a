//! What is measured: the rows of the table, out of the workloads and the stories, as the command line asks for them.

use crate::arguments::Options;
use crate::story::{STORIES, Story};
use crate::workload::{InFlight, RATES, Rate};

/// How a row is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    Rate(Rate),
    Story(Story),
}

/// A row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Its name on the command line and in JSON.
    pub(crate) name: &'static str,
    /// What it is, for a reader.
    pub(crate) title: String,
    pub(crate) in_flight: usize,
    pub(crate) rounds: usize,
    pub(crate) work: Work,
}

impl Scenario {
    /// What one unit of its throughput is called.
    pub(crate) fn unit(&self) -> &'static str {
        match &self.work {
            Work::Rate(rate) => rate.unit,
            Work::Story(_) => "request",
        }
    }
}

/// All names that `--only` knows, in the order of the table.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    RATES.iter().map(|(name, ..)| *name).chain(STORIES.iter().map(|(name, ..)| *name))
}

/// The rows that the options ask for, in the order of the table.
pub(crate) fn scenarios(options: &Options) -> Vec<Scenario> {
    let is_asked = |name: &str, by_default: bool| match &options.only {
        Some(only) => only.iter().any(|asked| asked == name),
        None => by_default || options.all,
    };
    let mut scenarios = Vec::new();
    for (name, title, rate) in RATES.into_iter().filter(|(name, ..)| is_asked(name, true)) {
        let counts: &[usize] = match &rate.in_flight {
            InFlight::Asked => &options.in_flight,
            InFlight::Fixed(count) => std::slice::from_ref(count),
        };
        for in_flight in counts.iter().copied() {
            let title = match rate.in_flight {
                InFlight::Asked => format!("{title}, {in_flight} in flight"),
                InFlight::Fixed(_) => title.to_owned(),
            };
            scenarios.push(Scenario { name, title, in_flight, rounds: options.rounds, work: Work::Rate(rate) });
        }
    }
    for (name, title, by_default, story) in STORIES {
        if is_asked(name, by_default) {
            let (title, work) = (title.to_owned(), Work::Story(story));
            scenarios.push(Scenario { name, title, in_flight: 0, rounds: options.heavy_rounds, work });
        }
    }
    scenarios
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_requests_run_at_each_number_in_flight() {
        let options = Options { in_flight: vec![1, 100, 1_000], ..Options::default() };
        let all = scenarios(&options);
        assert_eq!(all.iter().filter(|row| row.name == "put").count(), 3);
        assert_eq!(all.iter().filter(|row| row.name == "watch-50").count(), 1);
        assert!(!all.iter().any(|row| row.name == "keys-1m"), "only when it is asked for");
        let everything = scenarios(&Options { all: true, ..options });
        assert!(names().all(|name| everything.iter().any(|row| row.name == name)));
    }

    #[test]
    fn only_what_is_named_runs() {
        let only = Some(vec!["keys-1m".to_owned(), "get".to_owned()]);
        let asked = scenarios(&Options { only, in_flight: vec![7], ..Options::default() });
        assert_eq!(asked.iter().map(|row| (row.name, row.in_flight)).collect::<Vec<_>>(), [("get", 7), ("keys-1m", 0)]);
    }
}
