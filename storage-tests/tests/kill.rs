//! kill -9 of the real process under load.
//!
//! What could go wrong: a reply that left before its data were on the disk, a torn record taken for a whole one, a revision
//! given out twice, a watch that resumes with a gap. The promise: what was acknowledged, and what was read, is there after
//! the restart with its own revision, revisions only grow, and every guarantee of `archipel_storage_tests::checkers` holds
//! over all restarts together.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use archipel_storage_tests::{
    checkers,
    site::Site,
    workload::{Fault, Plan, drive, tally},
};
use std::{path::Path, process::Command, time::Duration};

const CYCLES: usize = 200;
/// Load before a kill: between this and twice this, so that kills hit different moments.
const LOAD: Duration = Duration::from_millis(30);

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_lose_nothing_acknowledged() {
    let mut site = Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), &["--log-level", "warn"]).unwrap();
    let plan = Plan {
        clients: 8,
        between: Duration::ZERO,
        watches: 4,
        faults: vec![Fault::Kill; CYCLES],
        load: LOAD,
        ..Plan::new(9)
    };
    let history = drive(&mut site, &plan).await.unwrap();
    let (acknowledged, unknown) = tally(&history);
    println!("{acknowledged} acknowledged writes over {CYCLES} kills, {unknown} without an answer");
    let found = checkers::check(&history);
    assert!(found.is_empty(), "seed {}:\n{}", plan.seed, found.join("\n"));
    // Fewer than a handful a cycle would test restarts, not kills under load.
    assert!(acknowledged > 5 * CYCLES, "only {acknowledged} acknowledged writes");
    // What is on the disk after all that is sound, too, and the index says what the log says.
    site.kill().unwrap();
    let program = env!("CARGO_BIN_EXE_archipel-under-test");
    let verified = Command::new(program).args(["verify", "--data-dir"]).arg(site.data_dir()).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stdout).into_owned() + &String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success(), "{said}");
    println!("{said}");
}
