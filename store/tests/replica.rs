//! Two stores in one process share a namespace, without a network: what `link` carries is handed over by hand. Objects are
//! written as kube-apiserver writes them, in JSON.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::expect_used)]

use archipel_store::mvcc::{DeleteRangeRequest, PutRequest, RangeRequest};
use archipel_store::replica::{Collision, PeerRef};
use archipel_store::{Config, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Site {
    store: Store,
    dir: TempDir,
    name: &'static str,
}

impl Site {
    async fn open(name: &'static str) -> Site {
        let dir = TempDir::new().unwrap();
        let store = Store::open(Config::new(dir.path().join("data"), name)).unwrap();
        let site = Site { store, dir, name };
        // What every cluster has; it tells in which encoding this site stores new objects.
        site.put("namespaces/kube-system", &namespace("kube-system")).await;
        site
    }

    async fn restart(&mut self) {
        self.store.close().await;
        self.store = Store::open(Config::new(self.dir.path().join("data"), self.name)).unwrap();
    }

    fn peer(&self) -> PeerRef {
        PeerRef { site_id: self.store.site().site_id, name: self.name.to_owned() }
    }

    async fn put(&self, key: &str, value: &Value) -> i64 {
        let request = PutRequest {
            key: format!("/registry/{key}").into_bytes().into(),
            value: serde_json::to_vec(value).unwrap().into(),
            ..PutRequest::default()
        };
        self.store.put(request).await.unwrap().0
    }

    async fn delete(&self, key: &str) {
        let key = format!("/registry/{key}").into_bytes().into();
        self.store.delete_range(DeleteRangeRequest { key, ..DeleteRangeRequest::default() }).await.unwrap();
    }

    fn get(&self, key: &str) -> Option<Value> {
        let key = format!("/registry/{key}").into_bytes().into();
        let (_, reply) = self.store.range(&RangeRequest { key, ..RangeRequest::default() }).unwrap();
        let kv = reply.kvs.first()?;
        let value = archipel_store::mvcc::KeyValue::decode(kv).unwrap().value.to_vec();
        Some(serde_json::from_slice(&value).unwrap())
    }

    /// Changes a stored object as a client would: read, edit, write.
    async fn edit(&self, key: &str, change: impl FnOnce(&mut Value)) {
        let mut value = self.get(key).unwrap();
        change(&mut value);
        self.put(key, &value).await;
    }
}

/// Both stores show exactly what the shares hold.
fn audit(sites: [&Site; 2]) {
    for site in sites {
        assert_eq!(site.store.audit_shares().unwrap(), Vec::<String>::new(), "{}", site.name);
    }
}

/// Hands over everything that either has for the other, until both are quiet.
async fn exchange(a: &Site, b: &Site) {
    for _ in 0..4 {
        for (from, to) in [(a, b), (b, a)] {
            let (sender, receiver) = (from.store.site().site_id, to.store.site().site_id);
            let mut messages: Vec<(bool, Vec<u8>)> =
                from.store.share_greetings(receiver).into_iter().map(|m| (true, m)).collect();
            while let Some((forward, message)) = messages.pop() {
                let (at, by, name) = if forward { (to, sender, from.name) } else { (from, receiver, to.name) };
                let answers = at.store.share_message(by, name, &message).await.unwrap();
                messages.extend(answers.into_iter().map(|m| (!forward, m)));
            }
            for (share, have) in to.store.active_shares(sender) {
                let entries = from.store.entries_after(share, &have, 1 << 20);
                if !entries.is_empty() {
                    let have = to.store.absorb(share, sender, entries).await.unwrap();
                    from.store.acknowledged(share, receiver, have).await.unwrap();
                }
            }
        }
    }
    audit([a, b]);
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": "ns-uid",
        "creationTimestamp": "2026-11-24T07:00:00Z", "labels": {"team": "a"}},
        "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}})
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "team-a",
        "uid": format!("uid-{name}"), "creationTimestamp": "2026-11-24T07:00:00Z"}, "data": data})
}

fn deployment() -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "team-a",
        "uid": "uid-web", "generation": 1, "creationTimestamp": "2026-11-24T07:00:00Z",
        "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}]}}},
        "status": {"replicas": 2}})
}

/// Two sites with an active share of team-a, with one ConfigMap and one Deployment made at the first.
async fn shared() -> (Site, Site) {
    let (a, b) = (Site::open("nantes").await, Site::open("rennes").await);
    a.put("namespaces/team-a", &namespace("team-a")).await;
    a.put("configmaps/team-a/settings", &config_map("settings", json!({"k": "1"}))).await;
    a.put("deployments/team-a/web", &deployment()).await;
    a.store.share_attach("team-a", b.peer()).await.unwrap();
    exchange(&a, &b).await;
    assert_eq!(b.get("configmaps/team-a/settings"), None, "nothing moves before both consents");
    b.store.share_accept("team-a", "nantes", Collision::Refuse).await.unwrap();
    exchange(&a, &b).await;
    (a, b)
}

#[tokio::test]
async fn a_shared_namespace_appears_with_local_fields_of_its_own() {
    let (_a, b) = shared().await;
    assert_eq!(b.get("namespaces/team-a").unwrap()["status"]["phase"], "Active");
    assert_eq!(b.get("configmaps/team-a/settings").unwrap()["data"], json!({"k": "1"}));
    let web = b.get("deployments/team-a/web").unwrap();
    assert_eq!(web["spec"]["replicas"], 2);
    let template = |web: &Value| web["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    assert_eq!(template(&web), template(&deployment()));
    assert_eq!(web.get("status").and_then(|s| s.get("replicas")), None, "status is local");
    assert_eq!(web["metadata"]["annotations"].get("deployment.kubernetes.io/revision"), None);
    assert_eq!(web["metadata"]["generation"], 1);
}

#[tokio::test]
async fn disjoint_edits_while_cut_both_stand_and_one_field_conflicts() {
    let (a, b) = shared().await;
    a.edit("deployments/team-a/web", |o| o["spec"]["template"]["spec"]["containers"][0]["image"] = "web:2".into())
        .await;
    a.edit("configmaps/team-a/settings", |o| o["data"]["k"] = "from nantes".into()).await;
    b.edit("deployments/team-a/web", |o| {
        o["spec"]["replicas"] = 3.into();
        let env = o["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
        env.push(json!({"name": "B", "value": "2"}));
    })
    .await;
    b.edit("configmaps/team-a/settings", |o| o["data"]["k"] = "from rennes".into()).await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"name": "new", "namespace": "team-a", "uid": "u"}, "data": {"p": "eA=="}});
    b.put("secrets/team-a/new", &secret).await;
    exchange(&a, &b).await;
    for site in [&a, &b] {
        let web = site.get("deployments/team-a/web").unwrap();
        let container = &web["spec"]["template"]["spec"]["containers"][0];
        assert_eq!(container["image"], "web:2", "{}", site.name);
        assert_eq!(container["env"], json!([{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]));
        assert_eq!(web["spec"]["replicas"], 3);
        assert_eq!(site.get("secrets/team-a/new").unwrap()["data"], json!({"p": "eA=="}));
        let conflicts = site.store.conflicts(Some("team-a"));
        assert_eq!(conflicts.len(), 1, "{conflicts:?}");
        let values = [conflicts[0].winner.clone().unwrap().value, conflicts[0].loser.value.clone()];
        let has = |text: &str| values.iter().any(|value| value.contains(text));
        assert!(has("from nantes") && has("from rennes"), "{values:?}");
    }
    let data = |site: &Site| site.get("configmaps/team-a/settings").unwrap()["data"].clone();
    assert_eq!(data(&a), data(&b));
    let generation = a.get("deployments/team-a/web").unwrap()["metadata"]["generation"].clone();
    assert_eq!(generation, 2, "a merge of spec is a generation");
}

#[tokio::test]
async fn deletes_travel_and_a_namespace_s_end_does_not() {
    let (a, b) = shared().await;
    a.delete("configmaps/team-a/settings").await;
    exchange(&a, &b).await;
    assert_eq!(b.get("configmaps/team-a/settings"), None);
    b.edit("namespaces/team-a", |o| o["metadata"]["deletionTimestamp"] = "2026-11-24T08:00:00Z".into()).await;
    b.delete("deployments/team-a/web").await;
    b.delete("namespaces/team-a").await;
    exchange(&a, &b).await;
    assert!(a.get("deployments/team-a/web").is_some() && a.get("namespaces/team-a").is_some());
    assert!(a.store.shares().is_empty() && b.store.shares().is_empty(), "a share of one is no share");
}

#[tokio::test]
async fn a_restart_keeps_the_share_and_repeats_no_dot() {
    let (mut a, mut b) = shared().await;
    b.edit("configmaps/team-a/settings", |o| o["data"]["k"] = "2".into()).await;
    let before = b.store.shares()[0].progress.own_entries;
    b.restart().await;
    a.restart().await;
    assert_eq!(b.store.shares()[0].progress.own_entries, before);
    b.edit("configmaps/team-a/settings", |o| o["data"]["l"] = "3".into()).await;
    exchange(&a, &b).await;
    assert_eq!(a.get("configmaps/team-a/settings").unwrap()["data"], json!({"k": "2", "l": "3"}));
}

#[tokio::test]
async fn content_on_both_sides_is_refused_or_merged_earliest_first() {
    let (a, b) = (Site::open("nantes").await, Site::open("rennes").await);
    for (site, value) in [(&a, "a"), (&b, "b")] {
        site.put("namespaces/team-a", &namespace("team-a")).await;
        let mut both = config_map("both", json!({"from": value}));
        // The first site's is older, although it becomes an entry later: the accepting site imports first.
        both["metadata"]["creationTimestamp"] =
            if value == "a" { "2026-11-24T06:00:00Z" } else { "2026-11-24T07:00:00Z" }.into();
        site.put("configmaps/team-a/both", &both).await;
        let only = format!("only-{value}");
        site.put(&format!("configmaps/team-a/{only}"), &config_map(&only, json!({}))).await;
    }
    a.store.share_attach("team-a", b.peer()).await.unwrap();
    exchange(&a, &b).await;
    let refusal = b.store.share_accept("team-a", "nantes", Collision::Refuse).await.unwrap_err().to_string();
    assert!(refusal.contains("configmaps/both") && refusal.contains("--merge=earliest"), "{refusal}");
    b.store.share_accept("team-a", "nantes", Collision::Earliest).await.unwrap();
    exchange(&a, &b).await;
    let data = |site: &Site| site.get("configmaps/team-a/both").unwrap()["data"].clone();
    assert_eq!((&data(&a), &data(&b)), (&json!({"from": "a"}), &json!({"from": "a"})));
    assert!(a.store.conflicts(None).iter().any(|c| c.rule == "ConcurrentCreate" && c.loser.value.contains("\"b\"")));
    assert!(a.get("configmaps/team-a/only-b").is_some() && b.get("configmaps/team-a/only-a").is_some());
}

#[tokio::test]
async fn what_stays_local_makes_no_entry() {
    let (a, b) = shared().await;
    let entries = |site: &Site| site.store.shares()[0].progress.own_entries;
    let before = (entries(&a), entries(&b));
    let root_ca = config_map("kube-root-ca.crt", json!({"ca.crt": "x"}));
    b.put("configmaps/team-a/kube-root-ca.crt", &root_ca).await;
    b.edit("deployments/team-a/web", |o| {
        o["status"] = json!({"replicas": 2, "observedGeneration": 1});
        o["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "7".into();
    })
    .await;
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "team-a"}});
    a.put("pods/team-a/web-1", &pod).await;
    exchange(&a, &b).await;
    assert_eq!((entries(&a), entries(&b)), before);
    assert_eq!(a.get("configmaps/team-a/kube-root-ca.crt"), None);
}

#[tokio::test]
async fn a_repeated_announcement_wakes_nobody() {
    let (a, b) = shared().await;
    let (mut at_a, mut at_b) = (a.store.share_changes(), b.store.share_changes());
    at_a.mark_unchanged();
    at_b.mark_unchanged();
    exchange(&a, &b).await;
    assert!(!at_a.has_changed().unwrap() && !at_b.has_changed().unwrap());
}

#[tokio::test]
async fn finalizers_are_obligations_of_the_site_that_has_them() {
    let (a, b) = shared().await;
    b.edit("configmaps/team-a/settings", |o| o["metadata"]["finalizers"] = json!(["example.com/hold"])).await;
    exchange(&a, &b).await;
    assert_eq!(a.get("configmaps/team-a/settings").unwrap()["metadata"].get("finalizers"), None);
    a.delete("configmaps/team-a/settings").await;
    exchange(&a, &b).await;
    let zombie = b.get("configmaps/team-a/settings").unwrap();
    assert!(zombie["metadata"]["deletionTimestamp"].is_string(), "{zombie}");
    // The name is taken again at the first site before the second is done with the old life.
    a.put("configmaps/team-a/settings", &config_map("settings", json!({"k": "new"}))).await;
    exchange(&a, &b).await;
    assert!(b.get("configmaps/team-a/settings").unwrap()["metadata"]["deletionTimestamp"].is_string());
    assert_eq!(b.store.shares()[0].held.len(), 1);
    b.edit("configmaps/team-a/settings", |o| o["metadata"]["finalizers"] = json!([])).await;
    b.delete("configmaps/team-a/settings").await;
    assert_eq!(b.get("configmaps/team-a/settings").unwrap()["data"], json!({"k": "new"}));
    exchange(&a, &b).await;
    assert_eq!(a.get("configmaps/team-a/settings").unwrap()["data"], json!({"k": "new"}));
    assert!(b.store.shares()[0].held.is_empty());
}

#[tokio::test]
async fn an_owner_is_known_by_its_local_uid() {
    let (a, b) = shared().await;
    let mut owned = config_map("owned", json!({}));
    owned["metadata"]["ownerReferences"] =
        json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "uid-web"}]);
    a.put("configmaps/team-a/owned", &owned).await;
    exchange(&a, &b).await;
    let web = b.get("deployments/team-a/web").unwrap()["metadata"]["uid"].clone();
    let reference = b.get("configmaps/team-a/owned").unwrap()["metadata"]["ownerReferences"][0].clone();
    assert_eq!((&reference["name"], &reference["uid"]), (&json!("web"), &web));
}

#[tokio::test]
async fn a_delete_beats_a_concurrent_edit_and_a_new_life_survives_it() {
    let (a, b) = shared().await;
    a.delete("configmaps/team-a/settings").await;
    b.edit("configmaps/team-a/settings", |o| o["data"]["k"] = "lost".into()).await;
    exchange(&a, &b).await;
    assert_eq!((a.get("configmaps/team-a/settings"), b.get("configmaps/team-a/settings")), (None, None));
    let lost = a.store.conflicts(None);
    assert!(lost.iter().any(|c| c.rule == "LostToDelete"), "{lost:?}");
    a.put("configmaps/team-a/settings", &config_map("settings", json!({"k": "again"}))).await;
    exchange(&a, &b).await;
    assert_eq!(b.get("configmaps/team-a/settings").unwrap()["data"], json!({"k": "again"}));
}

#[tokio::test]
async fn two_creations_with_different_identity_replace_the_later_one() {
    let (a, b) = shared().await;
    let secret = |kind: &str, uid: &str| {
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind,
        "metadata": {"name": "s", "namespace": "team-a", "uid": uid, "creationTimestamp": "2026-11-24T07:00:00Z"}})
    };
    a.put("secrets/team-a/s", &secret("Opaque", "first")).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let before = b.put("secrets/team-a/s", &secret("example.com/other", "second")).await;
    exchange(&a, &b).await;
    for site in [&a, &b] {
        let shown = site.get("secrets/team-a/s").unwrap();
        assert_eq!((&shown["type"], &shown["metadata"]["uid"]), (&json!("Opaque"), &json!("first")), "{}", site.name);
    }
    assert_eq!(b.store.revision(), before + 2, "a DELETE, then a PUT, each with its revision");
}

#[tokio::test]
async fn entries_of_strangers_and_forged_or_early_ones_are_refused() {
    let (a, b) = shared().await;
    let share = a.store.shares()[0].id;
    let (own, peer) = (a.store.site().site_id, b.store.site().site_id);
    for n in 0..3 {
        b.edit("configmaps/team-a/settings", |o| o["data"]["n"] = n.to_string().into()).await;
    }
    let entries = b.store.entries_after(share, &Default::default(), 1 << 20);
    let refused = |error: archipel_store::replica::AbsorbError| error.to_string();
    let stranger = uuid::Uuid::new_v4();
    assert!(refused(a.store.absorb(share, stranger, entries.clone()).await.unwrap_err()).contains("not active"));
    assert!(refused(a.store.absorb(stranger, peer, entries.clone()).await.unwrap_err()).contains("not active"));
    let late = vec![entries.last().unwrap().clone()];
    assert!(refused(a.store.absorb(share, peer, late).await.unwrap_err()).contains("out of order"));
    assert!(refused(b.store.absorb(share, own, entries.clone()).await.unwrap_err()).contains("did not write"));
    let cut = vec![entries[0].slice(..entries[0].len() - 1)];
    assert!(refused(a.store.absorb(share, peer, cut).await.unwrap_err()).contains("does not decode"));
    let have = a.store.absorb(share, peer, entries.clone()).await.unwrap();
    let revision = a.store.revision();
    assert_eq!(a.store.absorb(share, peer, entries).await.unwrap(), have, "what came twice changes nothing");
    assert_eq!(a.store.revision(), revision);
}
