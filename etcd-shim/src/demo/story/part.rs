//! The wire is cut, both sites go on, one store is killed, and the wire heals.

use serde_json::{Value, json};

use super::NAMESPACE;
use super::told::{Place, Story, StoryError, in_words};
use crate::demo::kubernetes::{Api, eventually};
use crate::demo::objects;

/// The image that nantes sets while the wire is cut.
const IMAGE: &str = "registry.example/web:2";

impl Story<'_> {
    /// Cuts the wire; both sites notice.
    pub async fn cut(&mut self) {
        self.narrator.chapter("The wire between the sites is cut");
        self.pair.wire.cut().await;
        self.narrator.deed("every TCP connection between the sites is closed, new ones are refused");
        let noticed = eventually(async || {
            self.pair.nantes.peer_connected("rennes", false).await?;
            self.pair.rennes.peer_connected("nantes", false).await
        })
        .await;
        match noticed {
            Ok(((), after)) => self.narrator.held("both sites know", Some(after)),
            Err(seen) => self.narrator.broke("both sites know", &seen),
        }
    }

    /// Both sites go on reading and writing: different fields of one Deployment, the same key of one ConfigMap.
    ///
    /// # Errors
    /// [`StoryError`] when kubectl fails.
    pub async fn edit_apart(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("Both go on, apart");
        let color = |color: &str| json!({"data": {"color": color}}).to_string();
        self.kubectl(Place::Nantes, &["set", "image", "deployment/web", &format!("web={IMAGE}")]).await?;
        self.kubectl(Place::Rennes, &["set", "env", "deployment/web", "LOG_LEVEL=debug"]).await?;
        self.kubectl(Place::Rennes, &["scale", "deployment/web", "--replicas=3"]).await?;
        self.kubectl(Place::Nantes, &["patch", "configmap", "settings", "--type=merge", "-p", &color("green")]).await?;
        self.kubectl(Place::Rennes, &["patch", "configmap", "settings", "--type=merge", "-p", &color("red")]).await?;
        self.kubectl(Place::Nantes, &["delete", "secret", "old-key"]).await?;
        self.kubectl(Place::Rennes, &["create", "secret", "generic", "new-key", "--from-literal=key=2"]).await?;
        let (nantes, rennes) = self.apis();
        let web = objects::deployment(NAMESPACE, "web");
        self.expect("nantes rolls out its image with 2 pods", || objects::rolled_out(&nantes, &web, 2)).await;
        self.expect("rennes rolls out its env with 3 pods", || objects::rolled_out(&rennes, &web, 3)).await;
        let apart = unmerged(&nantes, &rennes).await;
        self.note("neither sees the other's edits", apart);
        Ok(())
    }

    /// `kill -9` of rennes' store, with edits that nobody else has seen.
    ///
    /// # Errors
    /// [`StoryError`] when the store does not start again.
    pub async fn crash(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("The store of rennes is killed, with edits that nobody else has seen");
        self.narrator.command("rennes", &format!("kill -9 {}", self.pair.rennes.store_pid()));
        self.pair.rennes.kill_store();
        let serving_after = self.pair.rennes.restart_store().await?;
        self.narrator.held(&format!("archipel serves again {} after its start", in_words(serving_after)), None);
        let (_, rennes) = self.apis();
        let web = objects::deployment(NAMESPACE, "web");
        self.expect("kube-apiserver of rennes writes again", async || {
            let label = json!({"metadata": {"labels": {"survived": "kill-9"}}});
            rennes.merge(&objects::config_map(NAMESPACE, "settings"), &label).await.map_err(|error| error.to_string())
        })
        .await;
        self.expect("nothing is lost at rennes", async || {
            rennes_edits(&rennes).await?;
            objects::fields(&rennes, &objects::secret(NAMESPACE, "new-key"), &[]).await?;
            objects::rolled_out(&rennes, &web, 3).await
        })
        .await;
        Ok(())
    }

    /// Mends the wire; both sites come to show the same, and the one conflict is listed.
    ///
    /// # Errors
    /// [`StoryError`] when the wire cannot be mended or a verb fails.
    pub async fn heal(&mut self) -> Result<(), StoryError> {
        self.narrator.chapter("The wire is mended");
        self.pair.wire.heal().await?;
        let (nantes, rennes) = self.apis();
        let web = objects::deployment(NAMESPACE, "web");
        for (name, api) in [("nantes", &nantes), ("rennes", &rennes)] {
            self.expect(
                &format!("{name} has both edits of the Deployment: the image, the env and 3 replicas"),
                async || {
                    rennes_edits(api).await?;
                    objects::fields(api, &web, &[("/spec/template/spec/containers/0/image", json!(IMAGE))]).await
                },
            )
            .await;
            self.expect(&format!("{name} runs 3 pods of the merged template"), || objects::rolled_out(api, &web, 3))
                .await;
            self.expect(
                &format!("{name} has the later color, the new Secret, and no longer the deleted one"),
                async || {
                    let settings = objects::config_map(NAMESPACE, "settings");
                    let wanted = [("/data/color", json!("red")), ("/metadata/labels/survived", json!("kill-9"))];
                    objects::fields(api, &settings, &wanted).await?;
                    objects::fields(api, &objects::secret(NAMESPACE, "new-key"), &[("/data/key", json!("Mg=="))])
                        .await?;
                    objects::absent(api, &objects::secret(NAMESPACE, "old-key")).await
                },
            )
            .await;
        }
        self.expect_same("both sites show the same objects", &["database", "new-key"]).await;
        self.list_conflicts().await
    }

    async fn list_conflicts(&mut self) -> Result<(), StoryError> {
        for place in [Place::Nantes, Place::Rennes] {
            let listed = self.archipel(place, &["conflicts", "list", "-n", NAMESPACE]).await?;
            listed.lines().for_each(|line| self.narrator.deed(&format!("  {line}")));
            let conflicts = self.site(place).conflicts(NAMESPACE).await?;
            let one = the_one_conflict(&conflicts);
            self.note("one conflict is listed, with both values", one);
        }
        Ok(())
    }
}

/// Checks the edits that rennes made of the Deployment.
async fn rennes_edits(api: &Api) -> Result<(), String> {
    let web = objects::fields(api, &objects::deployment(NAMESPACE, "web"), &[("/spec/replicas", json!(3))]).await?;
    let env = web.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array);
    let names: Vec<&str> =
        env.into_iter().flatten().filter_map(|entry| entry.get("name").and_then(Value::as_str)).collect();
    // The two that were there, and the one that was added, in this order.
    if names != ["COLOR", "PASSWORD", "LOG_LEVEL"] {
        return Err(format!("the env entries are {names:?}"));
    }
    Ok(())
}

/// Checks that each site has its own edits only.
async fn unmerged(nantes: &Api, rennes: &Api) -> Result<(), String> {
    let web = objects::deployment(NAMESPACE, "web");
    let settings = objects::config_map(NAMESPACE, "settings");
    let image = "/spec/template/spec/containers/0/image";
    let at_nantes = [("/spec/replicas", json!(2)), (image, json!(IMAGE))];
    objects::fields(nantes, &web, &at_nantes).await?;
    objects::fields(nantes, &settings, &[("/data/color", json!("green"))]).await?;
    objects::absent(nantes, &objects::secret(NAMESPACE, "new-key")).await?;
    rennes_edits(rennes).await?;
    objects::fields(rennes, &web, &[(image, json!("registry.example/web:1"))]).await?;
    objects::fields(rennes, &settings, &[("/data/color", json!("red"))]).await?;
    objects::fields(rennes, &objects::secret(NAMESPACE, "old-key"), &[]).await.map(drop)
}

/// Checks that there is one conflict, about the ConfigMap's color, and that it holds both values.
fn the_one_conflict(conflicts: &[Value]) -> Result<(), String> {
    let [conflict] = conflicts else {
        return Err(format!("{} conflicts are listed: {}", conflicts.len(), json!(conflicts)));
    };
    let text = conflict.to_string();
    match ["settings", "color", "green", "red"].iter().find(|word| !text.contains(**word)) {
        None => Ok(()),
        Some(missing) => Err(format!("{missing} is not in {text}")),
    }
}
