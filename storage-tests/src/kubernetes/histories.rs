//! T9: one Deployment with rollout histories of different length at two sites.
//!
//! The Deployment controller numbers its own ReplicaSets and writes the number into the Deployment's metadata. Two sites
//! that have rolled out differently often have different numbers; if those travelled, the controllers would correct each
//! other for ever.

use archipel::demo::kubernetes::{Api, eventually};
use archipel::demo::objects;
use serde_json::{Value, json};

use super::rig::{Rig, deployment, expect};

/// How often nantes rolls out while the wire is cut; rennes does so once.
const ROLLOUTS: u32 = 3;
const CONTAINER: &str = "/spec/template/spec/containers/0";

/// Shares a Deployment in the new namespace `name`, rolls it out differently often at the two sites while the wire is
/// cut, and heals.
///
/// # Panics
/// When the sites do not come to the same Deployment, or their histories are not of different length (then this test
/// tests nothing).
pub async fn rollout_histories_of_different_length(rig: &mut Rig, name: &str) {
    rig.share_new(name).await;
    let (nantes, rennes) = (rig.pair.nantes.api().clone(), rig.pair.rennes.api().clone());
    let app = objects::deployment(name, "app");
    nantes.create(app.trim_end_matches("/app"), &deployment("app", 2)).await.unwrap();
    expect(eventually(|| objects::rolled_out(&rennes, &app, 2)).await);

    rig.pair.wire.cut().await;
    for version in 2..2 + ROLLOUTS {
        let image = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "app", "image": format!("registry.example/app:{version}")},
        ]}}}});
        nantes.strategic(&app, &image).await.unwrap();
        expect(eventually(|| objects::rolled_out(&nantes, &app, 2)).await);
    }
    let arguments = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "args": ["--quiet"]}]}}}});
    rennes.strategic(&app, &arguments).await.unwrap();
    expect(eventually(|| objects::rolled_out(&rennes, &app, 2)).await);
    rig.pair.wire.heal().await.unwrap();

    for api in [&nantes, &rennes] {
        let merged = [
            (format!("{CONTAINER}/image"), json!(format!("registry.example/app:{}", 1 + ROLLOUTS))),
            (format!("{CONTAINER}/args"), json!(["--quiet"])),
        ];
        let merged: Vec<(&str, Value)> = merged.iter().map(|(path, value)| (path.as_str(), value.clone())).collect();
        expect(eventually(async || objects::fields(api, &app, &merged).await).await);
        expect(eventually(|| objects::rolled_out(api, &app, 2)).await);
    }
    let (long, short) = (history(&nantes, name).await, history(&rennes, name).await);
    assert!(long > short, "nantes has rolled out {long} times, rennes {short} times");
}

/// The revision that a site's own controller has given to the newest ReplicaSet.
async fn history(api: &Api, namespace: &str) -> u32 {
    let app = api.get(&objects::deployment(namespace, "app")).await.unwrap();
    let revision = app["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_str();
    revision.expect("the controller has numbered it").parse().expect("a number")
}
