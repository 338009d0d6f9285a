//! A namespace of nantes is shared with rennes, and an edit at rennes is seen at nantes.

use serde_json::{Value, json};

use super::told::{Place, Story, StoryError};
use super::{NAMESPACE, OBJECTS};
use crate::demo::kubernetes::Api;
use crate::demo::objects;

impl Story<'_> {
    /// The namespace and its objects, at nantes alone.
    ///
    /// # Errors
    /// [`StoryError`] when kubectl fails.
    pub async fn settle(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("A team works at nantes");
        self.narrator.command("nantes", "kubectl apply -f team-a.yaml");
        self.pair.nantes.kubectl().apply(OBJECTS).await?;
        let (nantes, rennes) = self.apis();
        let web = objects::deployment(NAMESPACE, "web");
        self.expect("2 pods run at nantes", || objects::rolled_out(&nantes, &web, 2)).await;
        let elsewhere = objects::absent(&rennes, &objects::namespace(NAMESPACE)).await;
        self.note("nothing is shared yet: rennes has no namespace team-a", elsewhere);
        Ok(())
    }

    /// Both sites agree, and the namespace appears at rennes.
    ///
    /// # Errors
    /// [`StoryError`] when a verb fails.
    pub async fn share(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("Both sites agree to share the namespace");
        self.archipel(Place::Nantes, &["share", "attach", "-n", NAMESPACE, "--with", "rennes"]).await?;
        self.archipel(Place::Rennes, &["share", "accept", "-n", NAMESPACE, "--from", "nantes"]).await?;
        let (nantes, rennes) = self.apis();
        let web = objects::deployment(NAMESPACE, "web");
        self.expect("the namespace, with its label, is at rennes", async || {
            objects::fields(&rennes, &objects::namespace(NAMESPACE), &[("/metadata/labels/team", json!("a"))]).await
        })
        .await;
        self.expect("rennes' own controllers run 2 pods, on rennes' own nodes", async || {
            objects::rolled_out(&rennes, &web, 2).await?;
            own_pods(&rennes, "rennes-", 2).await
        })
        .await;
        self.expect_same("ConfigMap, Secrets, ServiceAccount and Deployment are the same", &["database", "old-key"])
            .await;
        let apart = apart(&nantes, &rennes).await;
        self.note("what belongs to one cluster stayed there: pods, ReplicaSets, the cluster's own CA", apart);
        Ok(())
    }

    /// An edit at rennes reaches nantes.
    ///
    /// # Errors
    /// [`StoryError`] when kubectl fails.
    pub async fn edit_across(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("An edit at rennes is seen at nantes");
        let before = self.pair.wire.bytes();
        let patch = json!({"data": {"size": "large"}}).to_string();
        self.kubectl(Place::Rennes, &["patch", "configmap", "settings", "--type=merge", "-p", &patch]).await?;
        let (nantes, _) = self.apis();
        let settings = objects::config_map(NAMESPACE, "settings");
        self.expect("size is large at nantes, color untouched", || {
            let wanted = [("/data/size", json!("large")), ("/data/color", json!("blue"))];
            let (nantes, settings) = (&nantes, &settings);
            async move { objects::fields(nantes, settings, &wanted).await }
        })
        .await;
        let carried = self.pair.wire.bytes().total() - before.total();
        self.narrator.deed(&format!("  {carried} bytes on the wire meanwhile, acknowledgements included"));
        Ok(())
    }
}

/// Checks that all pods run, on nodes whose names begin with `nodes`.
async fn own_pods(api: &Api, nodes: &str, count: usize) -> Result<(), String> {
    let pods = objects::items(api, &objects::pods(NAMESPACE)).await?;
    let own = pods.iter().filter(|pod| {
        let text = |pointer| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        text("/spec/nodeName").starts_with(nodes) && text("/status/phase") == "Running"
    });
    match own.count() {
        own if own == count && pods.len() == count => Ok(()),
        own => Err(format!("{own} of {} pods run on {nodes}*", pods.len())),
    }
}

/// Checks that no pod and no ReplicaSet of one site is at the other, and that each has its own cluster's CA.
async fn apart(nantes: &Api, rennes: &Api) -> Result<(), String> {
    for list in [objects::pods(NAMESPACE), objects::replica_sets(NAMESPACE)] {
        let uids = |items: Vec<Value>| -> Vec<Value> {
            items.iter().filter_map(|item| item.pointer("/metadata/uid").cloned()).collect()
        };
        let (here, there) = (uids(objects::items(nantes, &list).await?), uids(objects::items(rennes, &list).await?));
        if let Some(uid) = here.iter().find(|uid| there.contains(uid)) {
            return Err(format!("{uid} of {list} is at both sites"));
        }
    }
    let authority = objects::config_map(NAMESPACE, "kube-root-ca.crt");
    let read = |api: Api| {
        let authority = authority.clone();
        async move { api.get(&authority).await.map_err(|error| error.to_string()) }
    };
    let (here, there) = (read(nantes.clone()).await?, read(rennes.clone()).await?);
    if here.pointer("/data") == there.pointer("/data") {
        return Err("both sites have the same kube-root-ca.crt".to_owned());
    }
    Ok(())
}
