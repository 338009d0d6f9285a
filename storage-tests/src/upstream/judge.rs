//! Runs the packages of suites, two suites at a time at most, and lets each test's judgement be waited for.

use super::expected::{Verdict, Verdicts, differences};
use super::go::{GoError, at};
use super::suite::{Built, Suite};
use super::transcript::{Ended, Transcript};
use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
};

/// How a test compares to what it does on etcd.
#[derive(Clone, Debug)]
pub enum Judged {
    /// It and all of its subtests did the same as on etcd.
    Same,
    /// It did the same, which is that it refused to run; why, in its own words.
    Skipped(String),
    /// It did something else; a line for each difference, and the end of its output.
    Different(String),
    /// It could not be run.
    NotRun(GoError),
}

/// A test by suite, package and name.
type Key = (&'static str, String, String);

/// Tests that are asked for: those of one package of one suite.
#[derive(Debug)]
struct Work {
    suite: &'static Suite,
    package: String,
    tests: BTreeMap<String, Verdicts>,
}

/// Collects which tests are asked for, then runs them, a package at a time.
#[derive(Debug, Default)]
pub struct Judge {
    works: Vec<Work>,
    board: Arc<Board>,
}

/// What is known so far.
#[derive(Debug, Default)]
pub struct Board {
    judged: Mutex<HashMap<Key, Judged>>,
    changed: Condvar,
}

impl Board {
    /// Waits until a test that was asked for has been judged.
    ///
    /// # Panics
    /// When another thread panicked while it told a judgement.
    #[must_use]
    pub fn wait(&self, suite: &'static str, package: &str, test: &str) -> Judged {
        let key = (suite, package.to_owned(), test.to_owned());
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(known) = judged.remove(&key) {
                return known;
            }
            judged = self.changed.wait(judged).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn tell(&self, work: &Work, test: &str, judgement: Judged) {
        let key = (work.suite.name, work.package.clone(), test.to_owned());
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).insert(key, judgement);
        self.changed.notify_all();
    }
}

impl Judge {
    /// Where the judgements appear.
    #[must_use]
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board)
    }

    /// Asks for a test, whose verdicts on etcd are given.
    pub fn ask(&mut self, suite: &'static Suite, package: &str, test: &str, on_etcd: &Verdicts) {
        let same = |work: &&mut Work| work.suite.name == suite.name && work.package == package;
        let work = match self.works.iter_mut().find(same) {
            Some(work) => work,
            None => {
                self.works.push(Work { suite, package: package.to_owned(), tests: BTreeMap::new() });
                self.works.last_mut().expect("invariant: it was just pushed")
            }
        };
        work.tests.insert(test.to_owned(), on_etcd.clone());
    }

    /// Starts to run what was asked for against `server`; what is built lies below `target`.
    pub fn start(self, server: &Path, target: &Path) -> Vec<thread::JoinHandle<()>> {
        let mut lanes: Vec<(&'static str, Vec<Work>)> = Vec::new();
        for work in self.works {
            match lanes.iter_mut().find(|(lane, _)| *lane == work.suite.lane()) {
                Some((_, works)) => works.push(work),
                None => lanes.push((work.suite.lane(), vec![work])),
            }
        }
        let run = |(_, works): (_, Vec<Work>)| {
            let (board, server, target) = (Arc::clone(&self.board), server.to_owned(), target.to_owned());
            thread::spawn(move || run_lane(&works, &board, &server, &target))
        };
        lanes.into_iter().map(run).collect()
    }
}

fn run_lane(works: &[Work], board: &Board, server: &Path, target: &Path) {
    let mut built: HashMap<&str, Result<Built, GoError>> = HashMap::new();
    for work in works {
        let suite = built.entry(work.suite.name).or_insert_with(|| work.suite.build(server, target));
        let outcome = suite.as_ref().map_err(Clone::clone).and_then(|built| run(work, built, board));
        if let Err(error) = outcome {
            work.tests.keys().for_each(|test| board.tell(work, test, Judged::NotRun(error.clone())));
        }
    }
}

/// Runs one package. Every test that was asked for is told about; when an error is returned none was.
fn run(work: &Work, built: &Built, board: &Board) -> Result<(), GoError> {
    let tests: Vec<String> = work.tests.keys().cloned().collect();
    let mut command = built.command(&work.package, &tests)?;
    let log = built.log(&work.package);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log).map_err(at(&log))?);
    let program = PathBuf::from(command.get_program());
    let mut process = command.spawn().map_err(at(&program))?;
    let stdout = BufReader::new(process.stdout.take().expect("invariant: it is piped"));

    let mut waiting = work.tests.clone();
    let mut seen = String::new();
    let mut tell = |test: &str, ended: &Ended| {
        for (name, verdict) in &ended.verdicts {
            seen.push_str(&format!("{}\t{name}\t{verdict}\n", work.package));
        }
        if let Some(on_etcd) = waiting.remove(test) {
            board.tell(work, test, judgement(test, &on_etcd, ended, &log));
        }
    };
    let mut transcript = Transcript::default();
    for line in stdout.split(b'\n').map_while(Result::ok) {
        if let Some((test, ended)) = transcript.line(&String::from_utf8_lossy(&line)) {
            tell(&test, &ended);
        }
    }
    if let Some((test, ended)) = transcript.end() {
        tell(&test, &ended);
    }
    for test in &tests {
        // What has not ended by now never will: the program died, or it has no such test.
        tell(test, &transcript.unfinished(test));
    }
    let path = built.seen(&work.package);
    // It is for the eyes of a developer; the judgement does not depend on it.
    let _ = (fs::write(path, seen), process.wait());
    Ok(())
}

fn judgement(test: &str, on_etcd: &Verdicts, ended: &Ended, log: &Path) -> Judged {
    let differences = differences(on_etcd, &ended.verdicts);
    if differences.is_empty() {
        let last = ended.output.get(test).and_then(|lines| lines.back());
        return match on_etcd.get(test) {
            Some(Verdict::Skip) => Judged::Skipped(last.map_or("", |line| line.trim()).to_owned()),
            _ => Judged::Same,
        };
    }
    let mut told = String::new();
    for (name, difference) in &differences {
        told.push_str(difference);
        told.push('\n');
        for line in ended.output.get(*name).into_iter().flatten() {
            told.push_str(line);
            told.push('\n');
        }
    }
    Judged::Different(format!("{told}all that was logged: {}", log.display()))
}
