//! Mixed traffic, without faults, with kills, and with pauses.

use super::judged;
use archipel_storage_tests::workload::{Fault, Mix, Plan};
use std::time::Duration;

/// Pauses in the run with pauses.
const PAUSES: usize = 12;
/// Kills in the runs with kills.
const KILLS: usize = 15;

#[tokio::test(flavor = "multi_thread")]
async fn without_faults() {
    judged(Plan { load: Duration::from_secs(2), ..Plan::new(100) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_traffic_of_kubernetes() {
    judged(Plan { mix: Mix::KUBERNETES, faults: vec![Fault::Kill; 3], ..Plan::new(200) }).await;
}

/// A process that stood still answers nothing that was true only before (etcd issue 20418).
#[tokio::test(flavor = "multi_thread")]
async fn pauses() {
    let pause = |number: usize| Fault::Pause(Duration::from_millis(30 + 25 * number as u64));
    let faults = (0..PAUSES).map(pause).collect();
    judged(Plan { faults, load: Duration::from_millis(120), ..Plan::new(300) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills() {
    judged(Plan { faults: vec![Fault::Kill; KILLS], load: Duration::from_millis(150), ..Plan::new(400) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kills_between_compactions() {
    let compact_every = Duration::from_millis(10);
    let faults = vec![Fault::Kill; KILLS];
    judged(Plan { faults, compact_every, load: Duration::from_millis(100), ..Plan::new(500) }).await;
}
