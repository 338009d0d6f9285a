//! Histories of the real process under faults, judged by `archipel_storage_tests::checkers`.
//!
//! What could go wrong: a stale read, a write that is lost or done twice, a watch that leaves out, repeats or reorders an
//! event, a notification that comes too early. The promises are etcd's (learning/api_guarantees). `ARCHIPEL_ROBUSTNESS_RUNS`
//! repeats each run with other seeds.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "robustness/etcd_bugs.rs"]
mod etcd_bugs;
#[path = "robustness/faults.rs"]
mod faults;

use archipel_storage_tests::{
    checkers,
    history::{History, Response},
    site::Site,
    workload::{Plan, drive, tally},
};
use std::path::Path;

/// Flags of every site here: notifications come often, so that they meet events.
const FLAGS: &[&str] = &["--log-level", "warn", "--watch-progress-notify-interval", "100ms"];

fn site() -> Site {
    Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), FLAGS).unwrap()
}

/// How often each plan runs.
fn runs() -> u64 {
    std::env::var("ARCHIPEL_ROBUSTNESS_RUNS").map_or(1, |text| text.parse().expect("a number"))
}

/// Runs a plan with as many seeds as are asked for, each on a fresh process; every promise holds.
async fn judged(plan: Plan) {
    for run in 0..runs() {
        let plan = Plan { seed: plan.seed + run, ..plan.clone() };
        let mut site = site();
        let history = drive(&mut site, &plan).await.unwrap();
        judge(&history, &plan);
    }
}

#[track_caller]
fn judge(history: &History, plan: &Plan) {
    let (acknowledged, unknown) = tally(history);
    let responses = || history.watches.iter().flat_map(|watch| &watch.responses);
    let progress = responses().filter(|response| matches!(response, Response::Progress { .. })).count();
    let compacted = responses().filter(|response| matches!(response, Response::Compacted { .. })).count();
    println!(
        "seed {}: {} operations, {acknowledged} acknowledged writes, {unknown} writes without an answer, {} watches, {progress} \
         notifications, {compacted} watches ended by a compaction",
        plan.seed,
        history.operations.len(),
        history.watches.len(),
    );
    let found = checkers::check(history);
    assert!(found.is_empty(), "seed {}, {plan:?}:\n{}", plan.seed, found.join("\n"));
}
