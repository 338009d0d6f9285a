//! T5: two namespaces that have lived apart become one, and nobody's token stops working.

use std::time::Duration;

use archipel::demo::kubernetes::{Api, eventually};
use archipel::demo::objects;
use serde_json::{Value, json};

use super::rig::{Rig, config_map, expect};

/// Kubernetes writes creation times in whole seconds: only beyond one is it clear which of two objects is older.
const A_SECOND_LATER: Duration = Duration::from_millis(1100);

/// Makes namespace `name` at both sites, with the same ServiceAccount, an object that only one site has, one that both
/// have with equal content and one with different content; then joins them, the earlier creation standing.
///
/// # Panics
/// When a token issued before is refused after, an object is missing, or the later content stands.
pub async fn two_namespaces_become_one(rig: &mut Rig, name: &str) {
    let (nantes, rennes) = (rig.pair.nantes.api().clone(), rig.pair.rennes.api().clone());
    // nantes is the earlier one in everything that both have.
    furnish(&nantes, name, "nantes").await;
    tokio::time::sleep(A_SECOND_LATER).await;
    furnish(&rennes, name, "rennes").await;
    let tokens = [token(&nantes, name).await, token(&rennes, name).await];
    let account = objects::service_account(name, "builder");
    let uid = |object: Value| object.pointer("/metadata/uid").cloned();
    let uids = [uid(nantes.get(&account).await.unwrap()), uid(rennes.get(&account).await.unwrap())];

    rig.share(name, &["--merge=earliest"]).await;
    for api in [&nantes, &rennes] {
        expect(
            eventually(async || {
                for (object, key, value) in [
                    ("of-nantes", "from", "nantes"),
                    ("of-rennes", "from", "rennes"),
                    ("equal", "from", "both"),
                    ("different", "from", "nantes"),
                ] {
                    let pointer = format!("/data/{key}");
                    objects::fields(api, &objects::config_map(name, object), &[(&pointer, json!(value))]).await?;
                }
                Ok(())
            })
            .await,
        );
    }
    assert_eq!(
        uids,
        [uid(nantes.get(&account).await.unwrap()), uid(rennes.get(&account).await.unwrap())],
        "each cluster keeps the uid that its tokens were issued for"
    );
    for (site, api, token) in [("nantes", &nantes, &tokens[0]), ("rennes", &rennes, &tokens[1])] {
        assert!(accepted(api, token).await, "the token that {site} issued before the join is still good");
    }
    assert!(!accepted(&rennes, &tokens[0]).await, "a token of one cluster means nothing to the other");
    let token_secret = objects::secret(name, "builder-token");
    assert_eq!(objects::absent(&rennes, &token_secret).await, Ok(()), "token Secrets stay where they were issued");
}

async fn furnish(api: &Api, name: &str, site: &str) {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    api.create("/api/v1/namespaces", &namespace).await.unwrap();
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}});
    api.create(objects::service_account(name, "").trim_end_matches('/'), &account).await.unwrap();
    let maps = objects::config_map(name, "").trim_end_matches('/').to_owned();
    for map in [
        config_map(&format!("of-{site}"), "from", site),
        config_map("equal", "from", "both"),
        config_map("different", "from", site),
    ] {
        api.create(&maps, &map).await.unwrap();
    }
    if site == "nantes" {
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "builder-token", "annotations": {"kubernetes.io/service-account.name": "builder"}},
            "type": "kubernetes.io/service-account-token",
        });
        api.create(objects::secret(name, "").trim_end_matches('/'), &secret).await.unwrap();
    }
}

async fn token(api: &Api, namespace: &str) -> String {
    let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
    let path = format!("{}/token", objects::service_account(namespace, "builder"));
    let answer = api.create(&path, &request).await.unwrap();
    answer.pointer("/status/token").and_then(Value::as_str).expect("a token").to_owned()
}

async fn accepted(api: &Api, token: &str) -> bool {
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}});
    let answer = api.create("/apis/authentication.k8s.io/v1/tokenreviews", &review).await.unwrap();
    answer.pointer("/status/authenticated") == Some(&json!(true))
}
