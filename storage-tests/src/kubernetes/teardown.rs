//! T1: a namespace that is deleted at one site is deleted at that site.

use archipel::demo::kubernetes::{Api, eventually};
use archipel::demo::objects;
use serde_json::Value;

use super::rig::{Rig, config_map, deployment, expect};

/// What must still be there later, at the site that did not delete.
#[derive(Debug)]
pub struct Kept {
    api: Api,
    namespace: String,
    objects: Vec<String>,
}

/// Shares the new namespace `name`, deletes it at rennes while nantes works in it, and checks that rennes has left the share
/// and that nantes has all it had. The answer can be asked again later.
///
/// # Panics
/// When nantes has lost something, or the namespace is not gone at rennes.
pub async fn a_deleted_namespace_detaches(rig: &mut Rig, name: &str) -> Kept {
    rig.share_new(name).await;
    let (nantes, rennes) = (rig.pair.nantes.api().clone(), rig.pair.rennes.api().clone());
    let maps = objects::config_map(name, "one");
    nantes.create(maps.trim_end_matches("/one"), &config_map("one", "made", "at nantes")).await.unwrap();
    rennes.create(maps.trim_end_matches("/one"), &config_map("two", "made", "at rennes")).await.unwrap();
    let app = objects::deployment(name, "app");
    nantes.create(app.trim_end_matches("/app"), &deployment("app", 1)).await.unwrap();
    for api in [&nantes, &rennes] {
        expect(eventually(|| objects::rolled_out(api, &app, 1)).await);
        expect(eventually(async || objects::fields(api, &objects::config_map(name, "two"), &[]).await).await);
    }

    let objects = everything(&nantes, name).await;
    rennes.delete(&objects::namespace(name)).await.unwrap();
    expect(eventually(async || objects::absent(&rennes, &objects::namespace(name)).await).await);
    expect(eventually(async || rig.pair.rennes.share_gone(name).await).await);
    let kept = Kept { api: nantes, namespace: name.to_owned(), objects };
    kept.check().await;
    kept
}

impl Kept {
    /// Checks that everything is still there, with the uid that it had.
    ///
    /// # Panics
    /// When something is missing, new, or being deleted.
    pub async fn check(&self) {
        assert_eq!(everything(&self.api, &self.namespace).await, self.objects, "what nantes has in {}", self.namespace);
    }
}

async fn everything(api: &Api, namespace: &str) -> Vec<String> {
    let mut all = Vec::new();
    for kind in [
        "api/v1 configmaps",
        "api/v1 secrets",
        "api/v1 serviceaccounts",
        "api/v1 pods",
        "apis/apps/v1 deployments",
        "apis/apps/v1 replicasets",
    ] {
        let (group, resource) = kind.split_once(' ').expect("invariant: two words");
        let items = objects::items(api, &format!("/{group}/namespaces/{namespace}/{resource}")).await.unwrap();
        all.extend(items.iter().map(|item| identity(resource, item)));
    }
    all.sort_unstable();
    all
}

fn identity(resource: &str, object: &Value) -> String {
    let metadata = &object["metadata"];
    format!("{resource}/{} {} {}", metadata["name"], metadata["uid"], metadata["deletionTimestamp"])
}
