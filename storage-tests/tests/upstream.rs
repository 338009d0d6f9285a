//! Suites that others wrote do on this server what they do on etcd 3.7.3, test by test: Kubernetes' storage suites and
//! etcd's own black-box tests. A test's name is suite::package::test, and the filters of `cargo test` choose what is run.

use archipel_storage_tests::upstream::{GoError, Judge, Judged, SUITES};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Names another server to judge, such as a real etcd.
const SERVER_VARIABLE: &str = "UPSTREAM_SERVER";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut judge = Judge::default();
    let mut trials = Vec::new();
    for suite in SUITES {
        for (package, tests) in &suite.expected().0 {
            for (test, on_etcd) in tests {
                let (board, package_of, name) = (judge.board(), package.clone(), test.clone());
                let trial = Trial::ignorable_test(format!("{}::{package}::{test}", suite.name), move || {
                    completion(board.wait(suite.name, &package_of, &name))
                });
                let trial = trial.with_kind(subtests(on_etcd.len() - 1));
                if !arguments.list && !arguments.is_filtered_out(&trial) && !arguments.is_ignored(&trial) {
                    judge.ask(suite, package, test, on_etcd);
                }
                trials.push(trial);
            }
        }
    }
    let server = env::var_os(SERVER_VARIABLE).map(PathBuf::from);
    let server = server.unwrap_or_else(|| env!("CARGO_BIN_EXE_archipel-under-test").into());
    let lanes = judge.start(&server, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let conclusion = libtest_mimic::run(&arguments, trials);
    for lane in lanes {
        // A lane that panicked has left a test without a judgement, which is still being waited for.
        let _ = lane.join();
    }
    conclusion.exit_code()
}

fn completion(judged: Judged) -> Result<Completion, Failed> {
    match judged {
        Judged::Same => Ok(Completion::Completed),
        Judged::Skipped(why) => Ok(Completion::ignored_with(format!("so it is on etcd: {why}"))),
        Judged::Different(how) => Err(how.into()),
        Judged::NotRun(error @ GoError::Missing) if env::var("CI").is_err() => Ok(Completion::ignored_with(error)),
        Judged::NotRun(error) => Err(error.into()),
    }
}

fn subtests(count: usize) -> String {
    if count == 0 { String::new() } else { format!("{count} subtests") }
}
