//! One site deletes the namespace; the other loses nothing.

use serde_json::Value;

use super::NAMESPACE;
use super::told::{Place, Story, StoryError};
use crate::demo::kubernetes::Api;
use crate::demo::objects;

impl Story<'_> {
    /// Deletes the namespace at rennes.
    ///
    /// # Errors
    /// [`StoryError`] when kubectl fails.
    pub async fn leave(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("rennes deletes the namespace");
        let (nantes, rennes) = self.apis();
        let before = everything(&nantes).await;
        self.narrator.command("rennes", &format!("kubectl delete namespace {NAMESPACE}"));
        let delete = ["delete", "namespace", NAMESPACE, "--timeout=50s"];
        self.site(Place::Rennes).kubectl().run(&delete).await?;
        let gone = objects::absent(&rennes, &objects::namespace(NAMESPACE)).await;
        self.note("it is gone at rennes", gone);
        let detached = crate::demo::kubernetes::eventually(async || {
            self.pair.rennes.share_gone(NAMESPACE).await?;
            self.pair.nantes.peer_connected("rennes", true).await
        })
        .await;
        self.note("rennes left the share; the sites are still peers", detached.map(drop));
        let after = everything(&nantes).await;
        self.note("nantes has lost nothing: the same objects, with the same pods", lost_nothing(before, after));
        Ok(())
    }
}

/// Kind, name and uid of every object in the namespace that the story or a controller made, and the namespace's own uid.
async fn everything(api: &Api) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    let namespace = objects::fields(api, &objects::namespace(NAMESPACE), &[]).await?;
    all.push(identity("namespaces", &namespace));
    let lists = ["api/v1", "apis/apps/v1"]
        .into_iter()
        .zip([&["configmaps", "secrets", "serviceaccounts", "pods"][..], &["deployments", "replicasets"][..]]);
    for (group, resources) in lists {
        for resource in resources {
            let items = objects::items(api, &format!("/{group}/namespaces/{NAMESPACE}/{resource}")).await?;
            all.extend(items.iter().map(|item| identity(resource, item)));
        }
    }
    all.sort_unstable();
    Ok(all)
}

fn identity(resource: &str, object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let deleting = if object.pointer("/metadata/deletionTimestamp").is_some() { " (being deleted)" } else { "" };
    format!("{resource}/{} {}{deleting}", text("/metadata/name"), text("/metadata/uid"))
}

fn lost_nothing(before: Result<Vec<String>, String>, after: Result<Vec<String>, String>) -> Result<(), String> {
    let (before, after) = (before?, after?);
    if before == after {
        return Ok(());
    }
    let lost: Vec<_> = before.iter().filter(|object| !after.contains(object)).collect();
    let new: Vec<_> = after.iter().filter(|object| !before.contains(object)).collect();
    Err(format!("lost {lost:?}, new {new:?}"))
}
