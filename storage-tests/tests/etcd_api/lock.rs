//! Locks and elections that the server holds for its clients (etcd: server/etcdserver/api/v3lock, v3election).

use super::{is_foreign, site};
use archipel_storage_tests::client::{
    Client,
    election_wire::{CampaignRequest, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest, ResignRequest},
    kv,
    lock_wire::{LockRequest, UnlockRequest},
    revision,
    wire::{LeaseGrantRequest, LeaseLeasesRequest, LeaseRevokeRequest, RangeRequest},
};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tonic::{Code, Status, Streaming};

/// Something that is due comes in this time.
const DUE: Duration = Duration::from_secs(10);
/// Nothing comes in this time.
const QUIET: Duration = Duration::from_millis(150);

async fn lease(client: &mut Client, id: i64) -> i64 {
    client.lease.lease_grant(LeaseGrantRequest { ttl: 60, id }).await.unwrap().into_inner().id
}

async fn lock(client: &mut Client, lease: i64) -> Result<Bytes, Status> {
    let request = LockRequest { name: "jobs".into(), lease };
    client.lock.lock(request).await.map(|reply| reply.into_inner().key)
}

async fn waiters(client: &mut Client) -> Vec<Bytes> {
    let request = RangeRequest { key: "jobs/".into(), range_end: "jobs0".into(), ..RangeRequest::default() };
    client.range(request).await.unwrap().kvs.iter().map(|bytes| kv(bytes).key).collect()
}

async fn until_waiters(client: &mut Client, count: usize) {
    timeout(DUE, async {
        while waiters(client).await.len() != count {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the waiters are as many");
}

#[tokio::test]
async fn a_lock_passes_from_one_lease_to_the_next_in_order() {
    let (_site, mut client) = site().await;
    for id in [0x1f, 0x2f, 0x3f] {
        lease(&mut client, id).await;
    }
    assert_eq!(lock(&mut client, 0x1f).await.unwrap(), "jobs/1f");
    assert_eq!(lock(&mut client, 0x1f).await.unwrap(), "jobs/1f", "whoever holds it, has it");
    let mut clients = [client.clone(), client.clone()];
    let [second, third] = &mut clients;
    let mut second = Box::pin(lock(second, 0x2f));
    assert!(timeout(QUIET, &mut second).await.is_err());
    let mut third = Box::pin(lock(third, 0x3f));
    assert!(timeout(QUIET, &mut third).await.is_err());

    client.lock.unlock(UnlockRequest { key: "jobs/1f".into() }).await.unwrap();
    assert_eq!(timeout(DUE, second).await.unwrap().unwrap(), "jobs/2f");
    assert!(timeout(QUIET, &mut third).await.is_err());
    client.lease.lease_revoke(LeaseRevokeRequest { id: 0x2f }).await.unwrap();
    assert_eq!(timeout(DUE, third).await.unwrap().unwrap(), "jobs/3f");
}

#[tokio::test]
async fn a_waiter_that_goes_away_leaves_nothing() {
    if is_foreign() {
        // etcd leaves the lease that it made.
        return;
    }
    let (_site, mut client) = site().await;
    let held = lock(&mut client, 0).await.expect("a lease is made for whoever brings none");
    let leases = async |client: &mut Client| {
        client.lease.lease_leases(LeaseLeasesRequest {}).await.unwrap().into_inner().leases.len()
    };
    assert_eq!((waiters(&mut client).await, leases(&mut client).await), (vec![held.clone()], 1));
    let own = lease(&mut client, 0x2f).await;
    for lease in [own, 0] {
        let mut waiting = client.clone();
        assert!(timeout(QUIET, lock(&mut waiting, lease)).await.is_err());
        until_waiters(&mut client, 1).await;
        assert_eq!(waiters(&mut client).await, std::slice::from_ref(&held));
    }
    timeout(DUE, async {
        while leases(&mut client).await != 2 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the lease that was made for the waiter is gone");
}

#[tokio::test]
async fn a_lock_needs_a_lease_that_lives() {
    let (_site, mut client) = site().await;
    let refusal = lock(&mut client, 77).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::Unknown, "etcdserver: requested lease not found"));
    lease(&mut client, 1).await;
    lease(&mut client, 2).await;
    lock(&mut client, 1).await.unwrap();
    let mut waiting = client.clone();
    let waiter = tokio::spawn(async move { lock(&mut waiting, 2).await });
    until_waiters(&mut client, 2).await;
    client.lease.lease_revoke(LeaseRevokeRequest { id: 2 }).await.unwrap();
    client.lock.unlock(UnlockRequest { key: "jobs/1".into() }).await.unwrap();
    let refusal = timeout(DUE, waiter).await.unwrap().unwrap().unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::Unknown, "mutex: session is expired"));
}

async fn campaign(client: &mut Client, lease: i64, value: &'static str) -> Result<LeaderKey, Status> {
    let request = CampaignRequest { name: "el".into(), lease, value: value.into() };
    client.election.campaign(request).await.map(|reply| reply.into_inner().leader.unwrap())
}

async fn leader(client: &mut Client) -> Result<Bytes, Status> {
    let reply = client.election.leader(LeaderRequest { name: "el".into() }).await?;
    Ok(kv(&reply.into_inner().kv).value)
}

#[tokio::test]
async fn the_oldest_candidate_leads_speaks_and_resigns() {
    let (_site, mut client) = site().await;
    let no_leader = leader(&mut client).await.unwrap_err();
    assert_eq!((no_leader.code(), no_leader.message()), (Code::Unknown, "election: no leader"));
    lease(&mut client, 1).await;
    lease(&mut client, 2).await;
    let first = campaign(&mut client, 1, "one").await.unwrap();
    assert_eq!((first.key.as_ref(), first.lease, first.name.as_ref()), (&b"el/1"[..], 1, &b"el"[..]));
    let again = campaign(&mut client, 1, "uno").await.unwrap();
    assert_eq!((again.rev, leader(&mut client).await.unwrap()), (first.rev, "uno".into()));
    let mut other = client.clone();
    let second = tokio::spawn(async move { campaign(&mut other, 2, "two").await });

    let proclaim = |leader: Option<LeaderKey>| ProclaimRequest { leader, value: "eins".into() };
    client.election.proclaim(proclaim(Some(first.clone()))).await.unwrap();
    assert_eq!(leader(&mut client).await.unwrap(), "eins");
    let missing = client.election.proclaim(proclaim(None)).await.unwrap_err();
    assert_eq!((missing.code(), missing.message()), (Code::Unknown, "\"leader\" field must be provided"));
    let stranger = LeaderKey { rev: first.rev + 1, ..first.clone() };
    let refused = client.election.proclaim(proclaim(Some(stranger.clone()))).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::Unknown, "election: not leader"));

    client.election.resign(ResignRequest { leader: Some(stranger) }).await.expect("resigning twice is no error");
    assert_eq!(leader(&mut client).await.unwrap(), "eins");
    client.election.resign(ResignRequest { leader: Some(first) }).await.unwrap();
    let second = timeout(DUE, second).await.unwrap().unwrap().unwrap();
    assert_eq!((second.lease, leader(&mut client).await.unwrap()), (2, "two".into()));
}

#[tokio::test]
async fn observers_see_every_leader_and_what_it_says() {
    let (_site, mut client) = site().await;
    async fn observe(mut client: Client) -> Streaming<LeaderResponse> {
        client.election.observe(LeaderRequest { name: "el".into() }).await.unwrap().into_inner()
    }
    let next = async |stream: &mut Streaming<LeaderResponse>| {
        let reply = timeout(DUE, stream.message()).await.expect("a leader is due").unwrap().unwrap();
        assert!(revision(reply.header) >= kv(&reply.kv).mod_revision);
        String::from_utf8(kv(&reply.kv).value.to_vec()).unwrap()
    };
    // A stream may open with its first leader.
    let early = tokio::spawn(observe(client.clone()));
    sleep(QUIET).await;
    lease(&mut client, 1).await;
    lease(&mut client, 2).await;
    let first = campaign(&mut client, 1, "one").await.unwrap();
    let mut early = early.await.unwrap();
    assert_eq!(next(&mut early).await, "one");
    let mut late = observe(client.clone()).await;
    assert_eq!(next(&mut late).await, "one");
    let mut other = client.clone();
    let second = tokio::spawn(async move { campaign(&mut other, 2, "two").await });
    client.election.proclaim(ProclaimRequest { leader: Some(first.clone()), value: "uno".into() }).await.unwrap();
    for stream in [&mut early, &mut late] {
        assert_eq!(next(stream).await, "uno");
    }
    client.election.resign(ResignRequest { leader: Some(first) }).await.unwrap();
    second.await.unwrap().unwrap();
    for stream in [&mut early, &mut late] {
        assert_eq!(next(stream).await, "two");
    }
}
