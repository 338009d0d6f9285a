//! The fake nodes of a site, and the document that tells kwok how nodes and pods behave.

use serde_json::{Value, json};

/// kwok's configuration.
pub(crate) const STAGES: &str = include_str!("stages.yaml");

/// How long a node's lease is good for; kubelet's own default.
pub(crate) const LEASE_SECONDS: u32 = 40;

/// The Node objects of site `name`: `nantes-1`, `nantes-2`, …
pub(crate) fn fake_nodes(name: &str, count: u32) -> impl Iterator<Item = Value> {
    (1..=count).map(move |number| {
        let node = format!("{name}-{number}");
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": node,
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"kubernetes.io/hostname": node, "topology.kubernetes.io/zone": name},
            },
        })
    })
}
