//! Two real control planes that share namespaces.
//!
//! What could go wrong here goes wrong nowhere else: kube-apiserver reads back what we merged, its caches compare
//! themselves with the store, and two controller managers act on every change. The promise: both sites come to the same
//! objects, what belongs to one cluster stays there, and then nobody writes any more.
//!
//! The programs are built on the first run (minutes). `ARCHIPEL_KUBERNETES_BIN` names a folder that has them.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use archipel::demo::kubernetes::StorageEncoding::{self, Json, Protobuf};
use archipel::demo::story::{NAMESPACE, Story};
use archipel_storage_tests::kubernetes::{
    Rig, a_deleted_namespace_detaches, assert_silent, binaries, cluster_singletons_stay_home,
    rollout_histories_of_different_length, two_namespaces_become_one,
};
use tokio::sync::Mutex;

/// Two pairs of clusters at once would be slow on a small machine, and slow looks like wrong.
static ONE_PAIR_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread")]
async fn two_sites_that_store_protobuf() {
    everything_on_one_pair("protobuf", (Protobuf, Protobuf)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_stores_protobuf_and_one_that_stores_json() {
    everything_on_one_pair("mixed", (Protobuf, Json)).await;
}

/// One pair for all, since starting one takes longer than most of what is checked on it, and one silence for all shares.
async fn everything_on_one_pair(name: &str, encodings: (StorageEncoding, StorageEncoding)) {
    let Some(binaries) = binaries().await else { return };
    let _turn = ONE_PAIR_AT_A_TIME.lock().await;
    let program = Path::new(env!("CARGO_BIN_EXE_archipel-under-test"));
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("control_plane");
    let mut rig = Rig::start(&binaries, program, &directory, name, encodings).await;

    let mut story = Story::new(&mut rig.pair, &mut rig.narrator);
    story.introduce();
    story.meet().await.unwrap();
    story.settle().await.unwrap();
    story.share().await.unwrap();
    story.edit_across().await.unwrap();
    story.cut().await;
    story.edit_apart().await.unwrap();
    story.crash().await.unwrap();
    story.heal().await.unwrap();

    two_namespaces_become_one(&mut rig, "team-b").await;
    rollout_histories_of_different_length(&mut rig, "team-c").await;
    cluster_singletons_stay_home(&mut rig, "team-c").await;
    let kept = a_deleted_namespace_detaches(&mut rig, "team-d").await;

    assert_silent(&rig.pair, &[NAMESPACE, "team-b", "team-c"]).await;
    kept.check().await;

    Story::new(&mut rig.pair, &mut rig.narrator).leave().await.unwrap();
    rig.finish();
}
