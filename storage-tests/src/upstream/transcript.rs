//! What a Go test program says while it runs, as it says it to Go's own `test2json` (cmd/internal/test2json): with
//! `-test.v=test2json` every line of the framework begins with a mark that the tests' own output cannot hold.

use super::expected::{Verdict, Verdicts, top_level};
use std::collections::{BTreeMap, VecDeque};

/// Begins a line of the framework.
const MARK: char = '\u{16}';
/// Lines of a test's own output that are kept: the last ones, which say why it failed.
const OUTPUT_LINES_MAX: usize = 50;

/// Lines by the full name of a test or subtest.
pub(super) type Output = BTreeMap<String, VecDeque<String>>;

/// A test that has ended, with its subtests.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    pub(super) verdicts: Verdicts,
    /// The end of what each of them wrote.
    pub(super) output: Output,
}

/// Reads the lines in order and tells which tests have ended.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// The test whose output is coming now.
    current: String,
    /// The test whose verdict has come and whose subtests' verdicts are coming.
    closing: Option<String>,
    verdicts: BTreeMap<String, Verdicts>,
    output: BTreeMap<String, Output>,
}

impl Transcript {
    /// Takes one line; returns the test that is known to have ended by it.
    pub(super) fn line(&mut self, line: &str) -> Option<(String, Ended)> {
        let mut pieces = line.split(MARK);
        let own = pieces.next().unwrap_or_default();
        if !own.is_empty() || !line.contains(MARK) {
            self.keep(own);
        }
        let mut ended = None;
        for piece in pieces {
            ended = ended.or(self.framework(piece.trim()));
        }
        ended
    }

    /// The test whose verdict came last; to be asked when the program has ended.
    pub(super) fn end(&mut self) -> Option<(String, Ended)> {
        let closing = self.closing.take()?;
        let ended = self.unfinished(&closing);
        Some((closing, ended))
    }

    /// What a test that has not ended has done so far.
    pub(super) fn unfinished(&mut self, test: &str) -> Ended {
        let verdicts = self.verdicts.remove(test).unwrap_or_default();
        Ended { verdicts, output: self.output.remove(test).unwrap_or_default() }
    }

    /// `=== RUN   Name`, `=== NAME  Name`, `--- PASS: Name (0.01s)` and the like. A test's own verdict comes before those
    /// of its subtests, so that it has ended when a line of another test comes.
    fn framework(&mut self, said: &str) -> Option<(String, Ended)> {
        let mut words = said.split_whitespace();
        let (kind, what) = (words.next()?, words.next()?);
        // `=== NAME` without a name says that output of no test follows.
        let name = words.next().unwrap_or_default();
        let ended = if self.closing.as_deref() == Some(top_level(name)) { None } else { self.end() };
        match kind {
            "===" => name.clone_into(&mut self.current),
            "---" => {
                let verdict = Verdict::from_word(what.trim_end_matches(':'))?;
                let top = top_level(name);
                self.verdicts.entry(top.to_owned()).or_default().insert(name.to_owned(), verdict);
                // Output between here and the next `=== NAME` is the framework's.
                self.current.clear();
                if top == name {
                    self.closing = Some(name.to_owned());
                }
            }
            _ => {}
        }
        ended
    }

    fn keep(&mut self, line: &str) {
        let tests = self.output.entry(top_level(&self.current).to_owned()).or_default();
        let lines = tests.entry(self.current.clone()).or_default();
        if lines.len() == OUTPUT_LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_of_subtests_come_after_the_tests_own() {
        let said = "\u{16}=== RUN   TestA\n\u{16}=== RUN   TestA/one\nno newline\u{16}=== RUN   TestA/two\n    a_test.go:7: why\n\
                    \u{16}--- FAIL: TestA (0.10s)\n    \u{16}--- PASS: TestA/one (0.00s)\n\u{16}    --- FAIL: TestA/two (0.00s)\n\
                    \u{16}=== RUN   TestB\nb\n\u{16}--- SKIP: TestB (0.00s)\nFAIL\n";
        let mut transcript = Transcript::default();
        let mut ended: Vec<(String, Ended)> = said.lines().filter_map(|line| transcript.line(line)).collect();
        ended.extend(transcript.end());
        let names: Vec<&str> = ended.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["TestA", "TestB"]);
        let (first, second) = (&ended.first().unwrap().1, &ended.get(1).unwrap().1);
        let verdicts: Vec<_> = first.verdicts.iter().map(|(name, verdict)| format!("{name} {verdict}")).collect();
        assert_eq!(verdicts, ["TestA fail", "TestA/one pass", "TestA/two fail"]);
        assert_eq!(
            format!("{:?}", first.output),
            r#"{"TestA/one": ["no newline"], "TestA/two": ["    a_test.go:7: why"]}"#
        );
        assert_eq!(second.verdicts.get("TestB"), Some(&Verdict::Skip));
        assert_eq!(format!("{:?}", second.output), r#"{"TestB": ["b"]}"#);
    }
}
