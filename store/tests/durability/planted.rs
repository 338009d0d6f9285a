//! Each judge has teeth: a bug that is planted in the store on purpose is found by the same stories that find nothing in
//! the store as it is, and for the right reason.

use crate::crash::story;
use crate::life::Tally;
use archipel_store::planted::{Bug, plant};
use std::process::Command;

/// Stories until the judge must have spoken. Most bugs are found in the first.
const STORIES_MAX: u64 = 200;

/// Runs a test of this file again in a process of its own, where the bug is planted: it is there for good.
fn is_found(test: &str, bug: Bug, complaints: &[&str]) {
    const PLANTED: &str = "ARCHIPEL_PLANTED";
    if std::env::var_os(PLANTED).is_some() {
        plant(bug);
        let verdict = (0..STORIES_MAX).find_map(|seed| Some((seed, story(seed, |_| (), &mut Tally::default()).err()?)));
        if let Some((seed, broken)) = verdict {
            println!("found by seed {seed}: {broken}");
        }
        return;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let name = format!("planted::{test}");
    let output = again.args([&name, "--exact", "--nocapture"]).env(PLANTED, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let found = said.lines().find(|line| line.contains("found by seed")).unwrap_or_else(|| panic!("not found: {said}"));
    println!("{found}");
    assert!(complaints.iter().any(|complaint| found.contains(complaint)), "for another reason: {found}");
}

#[test]
fn an_acknowledgement_before_the_sync_is_found() {
    is_found(
        "an_acknowledgement_before_the_sync_is_found",
        Bug::AckBeforeSync,
        &["what was acknowledged: the ", "does not start"],
    );
}

#[test]
fn a_directory_that_is_not_synced_is_found() {
    let complaints = ["what was acknowledged", "does not start"];
    is_found("a_directory_that_is_not_synced_is_found", Bug::SkippedDirectorySync, &complaints);
}

#[test]
fn a_delete_that_compaction_drops_is_found() {
    is_found("a_delete_that_compaction_drops_is_found", Bug::DeleteDroppedAtCompaction, &["the watch from"]);
}

#[test]
fn a_progress_notification_that_comes_early_is_found() {
    is_found("a_progress_notification_that_comes_early_is_found", Bug::EarlyProgress, &["progress"]);
}

#[test]
fn an_event_that_comes_twice_is_found() {
    is_found("an_event_that_comes_twice_is_found", Bug::DuplicateOnResync, &["the watch at", "the watch from"]);
}

#[test]
fn a_transaction_over_two_revisions_is_found() {
    let complaints = ["the header says revision", "the revision is"];
    is_found("a_transaction_over_two_revisions_is_found", Bug::TxnOverTwoRevisions, &complaints);
}

/// The bugs are in no build but those of this crate's tests.
#[test]
fn a_release_holds_none_of_them() {
    let tree = ["tree", "--offline", "--package", "archipel", "--edges", "normal,build,features", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(tree).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && tree.contains("archipel-store"), "{output:?}");
    assert!(!tree.contains("planted-bugs"), "{tree}");
}
