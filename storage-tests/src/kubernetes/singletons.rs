//! T2: what every cluster has one of stays at home: its CA, its default account, addresses, owner-made objects.

use archipel::demo::kubernetes::eventually;
use archipel::demo::objects;
use serde_json::{Value, json};

use super::rig::{Rig, expect};

/// In the shared namespace `name`: takes `kube-root-ca.crt` and the account `default` away at one site, whose controllers
/// make them again, and checks that none of this makes an entry; then that a Service without an address of the cluster
/// travels and one with an address does not.
///
/// # Panics
/// When an entry is made, or the wrong Service travels.
pub async fn cluster_singletons_stay_home(rig: &mut Rig, name: &str) {
    let (nantes, rennes) = (rig.pair.nantes.api().clone(), rig.pair.rennes.api().clone());
    let authority = objects::config_map(name, "kube-root-ca.crt");
    let account = objects::service_account(name, "default");
    let before = rig.pair.nantes.entries(name).await.unwrap();
    for path in [&authority, &account] {
        let old = nantes.get(path).await.unwrap();
        nantes.delete(path).await.unwrap();
        expect(
            eventually(async || {
                let new = objects::fields(&nantes, path, &[]).await?;
                if new["metadata"]["uid"] == old["metadata"]["uid"] {
                    Err(format!("{path} is the old one"))
                } else {
                    Ok(())
                }
            })
            .await,
        );
    }
    assert_eq!(rig.pair.nantes.entries(name).await, Ok(before), "none of this is anybody else's business");
    let data = |object: Value| object["data"].clone();
    assert_ne!(data(nantes.get(&authority).await.unwrap()), data(rennes.get(&authority).await.unwrap()));

    let service = |name: &str, address: Option<&str>| {
        let mut spec = json!({"selector": {"app": "app"}, "ports": [{"port": 80}]});
        if let Some(address) = address {
            spec["clusterIP"] = json!(address);
        }
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
    };
    let services = objects::service(name, "").trim_end_matches('/').to_owned();
    nantes.create(&services, &service("with-address", None)).await.unwrap();
    nantes.create(&services, &service("headless", Some("None"))).await.unwrap();
    // Made later, arrived: so the earlier one was passed over.
    let headless = objects::service(name, "headless");
    expect(eventually(async || objects::fields(&rennes, &headless, &[("/spec/clusterIP", json!("None"))]).await).await);
    assert_eq!(objects::absent(&rennes, &objects::service(name, "with-address")).await, Ok(()));
}
