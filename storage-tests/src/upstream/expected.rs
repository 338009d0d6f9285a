//! What each test of a suite does on real etcd.

use std::{collections::BTreeMap, fmt};

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail,
    Skip,
}

impl Verdict {
    /// Reads the word that Go's reports use, in either case.
    pub(super) fn from_word(word: &str) -> Option<Verdict> {
        match word {
            "pass" | "PASS" => Some(Verdict::Pass),
            "fail" | "FAIL" => Some(Verdict::Fail),
            "skip" | "SKIP" => Some(Verdict::Skip),
            _ => None,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
        })
    }
}

/// A test and its subtests by their full names; the test itself is among them.
pub type Verdicts = BTreeMap<String, Verdict>;

/// Package, then test, then the test with its subtests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected(pub BTreeMap<String, BTreeMap<String, Verdicts>>);

impl Expected {
    /// Reads lines of package, test and verdict, separated by tabs.
    ///
    /// # Panics
    /// When a line is none; the text is part of this program.
    #[must_use]
    pub fn read(text: &str) -> Expected {
        let mut packages: BTreeMap<String, BTreeMap<String, Verdicts>> = BTreeMap::new();
        for line in text.lines() {
            let mut columns = line.split('\t');
            let row = (columns.next(), columns.next(), columns.next().and_then(Verdict::from_word));
            let (Some(package), Some(test), Some(verdict)) = row else { panic!("not package, test, verdict: {line}") };
            let tests = packages.entry(package.to_owned()).or_default();
            tests.entry(top_level(test).to_owned()).or_default().insert(test.to_owned(), verdict);
        }
        Expected(packages)
    }
}

/// The test that a subtest belongs to, or itself.
pub(super) fn top_level(test: &str) -> &str {
    test.split('/').next().unwrap_or(test)
}

/// The name of each test or subtest that did something else on etcd than here, and a line that says what.
pub(super) fn differences<'a>(on_etcd: &'a Verdicts, here: &'a Verdicts) -> Vec<(&'a str, String)> {
    let name = |verdict: Option<&Verdict>| verdict.map_or_else(|| "nothing".to_owned(), Verdict::to_string);
    let mut names: Vec<&String> =
        on_etcd.keys().chain(here.keys().filter(|test| !on_etcd.contains_key(*test))).collect();
    names.sort();
    names
        .into_iter()
        .filter(|test| on_etcd.get(*test) != here.get(*test))
        .map(|test| {
            let line = format!("{test}: {} on etcd, {} here", name(on_etcd.get(test)), name(here.get(test)));
            (test.as_str(), line)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_difference_is_named() {
        let read = |text: &str| Expected::read(text).0.remove("p").unwrap().remove("T").unwrap();
        let etcd = read("p\tT\tpass\np\tT/a\tpass\np\tT/b\tskip\np\tT/c\tpass\n");
        let here = read("p\tT\tfail\np\tT/a\tfail\np\tT/b\tskip\np\tT/d\tpass\n");
        let told: Vec<String> = differences(&etcd, &here).into_iter().map(|(_, line)| line).collect();
        let expected = [
            "T: pass on etcd, fail here",
            "T/a: pass on etcd, fail here",
            "T/c: pass on etcd, nothing here",
            "T/d: nothing on etcd, pass here",
        ];
        assert_eq!(told, expected);
        assert!(differences(&etcd, &etcd).is_empty());
    }
}
