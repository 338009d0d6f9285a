//! All five calls of the Lease service.

use super::site;
use archipel_storage_tests::client::{
    revision,
    wire::{
        LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest,
        PutRequest,
    },
};

#[tokio::test]
async fn grant_attach_renew_ask_and_revoke() {
    let (_site, mut client) = site().await;
    let granted = client.lease.lease_grant(LeaseGrantRequest { ttl: 100, id: 0 }).await.unwrap().into_inner();
    assert!(granted.id > 0);
    assert_eq!((granted.ttl, revision(granted.header)), (100, 1), "a lease takes no revision");
    let chosen = client.lease.lease_grant(LeaseGrantRequest { ttl: 50, id: 42 }).await.unwrap().into_inner();
    assert_eq!(chosen.id, 42);

    for key in ["a", "b"] {
        let put = PutRequest { key: key.into(), lease: 42, ..PutRequest::default() };
        client.kv.put(put).await.unwrap();
    }
    assert_eq!(client.get("a").await.unwrap().unwrap().lease, 42);
    let keep = PutRequest { key: "a".into(), value: "2".into(), ignore_lease: true, ..PutRequest::default() };
    client.kv.put(keep).await.unwrap();
    let ask = LeaseTimeToLiveRequest { id: 42, keys: true };
    let answer = client.lease.lease_time_to_live(ask).await.unwrap().into_inner();
    assert_eq!((answer.granted_ttl, answer.keys.len()), (50, 2));
    assert!((48..=50).contains(&answer.ttl));
    client.put("b", "detached").await.unwrap();
    assert_eq!(client.lease.lease_time_to_live(ask).await.unwrap().into_inner().keys, ["a"]);

    let mut ids: Vec<i64> = client
        .lease
        .lease_leases(LeaseLeasesRequest {})
        .await
        .unwrap()
        .into_inner()
        .leases
        .iter()
        .map(|lease| lease.id)
        .collect();
    ids.sort_unstable();
    let mut expected = vec![granted.id, 42];
    expected.sort_unstable();
    assert_eq!(ids, expected);

    let requests = tokio_stream::iter([LeaseKeepAliveRequest { id: 42 }, LeaseKeepAliveRequest { id: 999 }]);
    let mut replies = client.lease.lease_keep_alive(requests).await.unwrap().into_inner();
    let alive = replies.message().await.unwrap().unwrap();
    assert_eq!((alive.id, alive.ttl), (42, 50));
    let unknown = replies.message().await.unwrap().unwrap();
    assert_eq!((unknown.id, unknown.ttl), (999, 0));

    let before = client.put("c", "1").await.unwrap();
    let revoked = client.lease.lease_revoke(LeaseRevokeRequest { id: 42 }).await.unwrap().into_inner();
    assert_eq!(revision(revoked.header), before + 1, "its keys go in one revision");
    assert_eq!(client.get("a").await.unwrap(), None);
    assert!(client.get("b").await.unwrap().is_some());
    let revoked = client.lease.lease_revoke(LeaseRevokeRequest { id: granted.id }).await.unwrap().into_inner();
    assert_eq!(revision(revoked.header), before + 1, "without keys it takes no revision");
    let answer = client.lease.lease_time_to_live(ask).await.unwrap().into_inner();
    assert_eq!((answer.ttl, answer.granted_ttl, answer.keys.len()), (-1, 0, 0));
}

#[tokio::test]
async fn leases_outlive_a_kill() {
    let (mut site, mut client) = site().await;
    client.lease.lease_grant(LeaseGrantRequest { ttl: 60, id: 5 }).await.unwrap();
    let put = PutRequest { key: "a".into(), lease: 5, ..PutRequest::default() };
    client.kv.put(put).await.unwrap();
    site.kill().unwrap();
    site.launch().unwrap();
    let mut client = archipel_storage_tests::client::Client::connect(site.url()).await.unwrap();
    let answer =
        client.lease.lease_time_to_live(LeaseTimeToLiveRequest { id: 5, keys: true }).await.unwrap().into_inner();
    assert_eq!((answer.granted_ttl, answer.keys), (60, vec!["a".into()]));
    assert!(answer.ttl >= 59, "a restart never shortens a lease");
}
