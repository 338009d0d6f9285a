//! Nine checks on the real process that a server which only looks like etcd fails: restart, compaction against old live
//! keys, watch from the past, a delete seen by a later watch, lease expiry, a wrong password, one revision a transaction,
//! a slow watcher, and a range whose start lies above its end.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use archipel_storage_tests::{
    client::{
        Client, delete_op, kv, put_op, range_op, revision,
        wire::{
            AuthEnableRequest, AuthUserAddRequest, AuthUserGrantRoleRequest, AuthenticateRequest, CompactionRequest,
            Compare, DeleteRangeRequest, LeaseGrantRequest, PutRequest, RangeRequest, WatchCreateRequest, compare,
            event::EventType,
        },
    },
    site::Site,
};
use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, path::Path, time::Duration};
use tokio::task::JoinSet;
use tonic::Code;

/// The signal that a site is stopped with.
const SIGTERM: i32 = 15;
/// Keys of the slow watcher's check.
const SLOW_WATCHER_EVENTS: usize = 4000;
/// Rounds and rivals of the check that one create wins.
const CREATE_ROUNDS: usize = 50;
const CREATE_RIVALS: usize = 32;

async fn site() -> (Site, Client) {
    let site = Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), &[]).unwrap();
    let client = Client::connect(site.url()).await.unwrap();
    (site, client)
}

#[tokio::test]
async fn one_a_restart_keeps_everything() {
    let (mut site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    client.put("a", "2").await.unwrap();
    client.put("b", "1").await.unwrap();
    let last = client.delete("b").await.unwrap();
    let before = client.get("a").await.unwrap().unwrap();
    let status = site.terminate().unwrap().unwrap();
    assert_eq!(status.signal(), Some(SIGTERM), "a graceful stop ends by its signal: {}", site.log());
    site.launch().unwrap();
    let mut client = Client::connect(site.url()).await.unwrap();
    assert_eq!(client.get("a").await.unwrap().unwrap(), before);
    assert_eq!(client.get("b").await.unwrap(), None);
    let old = client.range(RangeRequest { key: "a".into(), revision: 2, ..RangeRequest::default() }).await.unwrap();
    assert_eq!(kv(&old.kvs[0]).value, "1");
    assert_eq!(revision(old.header), last);
    assert_eq!(client.put("a", "3").await.unwrap(), last + 1);
}

#[tokio::test]
async fn two_a_compaction_keeps_live_keys_however_old() {
    let (_site, mut client) = site().await;
    client.put("old", "kept").await.unwrap();
    let mut last = 0;
    for n in 0..20 {
        last = client.put("busy", n.to_string()).await.unwrap();
    }
    client.kv.compact(CompactionRequest { revision: last, physical: true }).await.unwrap();
    assert_eq!(client.get("old").await.unwrap().unwrap().value, "kept");
    let pinned = RangeRequest { key: "old".into(), revision: last, ..RangeRequest::default() };
    assert_eq!(client.range(pinned).await.unwrap().count, 1);
    assert_eq!(client.put("x", "y").await.unwrap(), last + 1, "a compaction takes no revision");
}

#[tokio::test]
async fn three_a_watch_from_the_past_sees_everything_since() {
    let (_site, mut client) = site().await;
    for n in 0..100 {
        client.put(format!("k{}", n % 10), n.to_string()).await.unwrap();
    }
    let mut stream = client.watch_stream().await.unwrap();
    let create = WatchCreateRequest {
        key: "k".into(),
        range_end: "l".into(),
        start_revision: 2,
        ..WatchCreateRequest::default()
    };
    assert!(stream.create(create).await.created);
    let mut revisions = Vec::new();
    while revisions.len() < 100 {
        revisions.extend(stream.next().await.events.iter().map(|event| kv(&event.kv).mod_revision));
    }
    assert_eq!(revisions, (2..102).collect::<Vec<_>>());
}

#[tokio::test]
async fn four_a_later_watch_sees_the_delete_of_an_older_key() {
    let (_site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    let deleted = client.delete("a").await.unwrap();
    client.put("other", "1").await.unwrap();
    let mut stream = client.watch_stream().await.unwrap();
    let create =
        WatchCreateRequest { key: "a".into(), start_revision: deleted, prev_kv: true, ..WatchCreateRequest::default() };
    assert!(stream.create(create).await.created);
    let response = stream.next().await;
    let event = &response.events[0];
    assert_eq!(event.r#type(), EventType::Delete);
    assert_eq!(kv(&event.kv).mod_revision, deleted);
    assert_eq!(kv(event.prev_kv.as_ref().unwrap()).value, "1");
}

#[tokio::test]
async fn five_a_lease_expires_with_its_keys_in_one_revision() {
    let (_site, mut client) = site().await;
    let lease = client.lease.lease_grant(LeaseGrantRequest { ttl: 1, id: 0 }).await.unwrap().into_inner();
    assert_eq!(lease.ttl, 2, "a shorter lease than the minimum is raised to it");
    for key in ["a", "b"] {
        let put = PutRequest { key: key.into(), lease: lease.id, ..PutRequest::default() };
        client.kv.put(put).await.unwrap();
    }
    let mut stream = client.watch_stream().await.unwrap();
    let create = WatchCreateRequest { key: "a".into(), range_end: "c".into(), ..WatchCreateRequest::default() };
    stream.create(create).await;
    let response = stream.next().await;
    let events: Vec<_> = response.events.iter().map(|event| (event.r#type(), kv(&event.kv).mod_revision)).collect();
    assert_eq!(events, [(EventType::Delete, 4), (EventType::Delete, 4)]);
    let put = PutRequest { key: "c".into(), lease: lease.id, ..PutRequest::default() };
    assert_eq!(client.kv.put(put).await.unwrap_err().code(), Code::NotFound);
}

/// Without accounts a password is not ignored; with them only the right one opens, and only what it may open.
#[tokio::test]
async fn six_a_wrong_password_opens_nothing() {
    let (_site, mut client) = site().await;
    let authenticate = |password: &str| AuthenticateRequest { name: "root".into(), password: password.into() };
    let refusal = client.auth.authenticate(authenticate("wrong")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::FailedPrecondition);
    assert_eq!(refusal.message(), "etcdserver: authentication is not enabled");
    client.put("a", "1").await.unwrap();
    let user = AuthUserAddRequest { name: "root".into(), password: "right".into(), ..AuthUserAddRequest::default() };
    client.auth.user_add(user).await.unwrap();
    let grant = AuthUserGrantRoleRequest { user: "root".into(), role: "root".into() };
    client.auth.user_grant_role(grant).await.unwrap();
    client.auth.auth_enable(AuthEnableRequest {}).await.unwrap();
    let refusal = client.auth.authenticate(authenticate("wrong")).await.unwrap_err();
    assert_eq!(refusal.code(), Code::InvalidArgument);
    assert_eq!(refusal.message(), "etcdserver: authentication failed, invalid user ID or password");
    assert_eq!(client.get("a").await.unwrap_err().message(), "etcdserver: user name is empty");
    let token = client.auth.authenticate(authenticate("right")).await.unwrap().into_inner().token;
    let mut read = tonic::Request::new(RangeRequest { key: "a".into(), ..RangeRequest::default() });
    read.metadata_mut().insert("token", token.parse().unwrap());
    assert_eq!(client.kv.range(read).await.unwrap().into_inner().count, 1);
}

#[tokio::test]
async fn seven_a_transaction_is_one_revision() {
    let (_site, mut client) = site().await;
    client.put("gone", "1").await.unwrap();
    let reply = client
        .txn(vec![], vec![put_op("a", "1"), put_op("b", "1"), delete_op("gone"), range_op("a")], vec![])
        .await
        .unwrap();
    assert_eq!(revision(reply.header), 3);
    for key in ["a", "b"] {
        assert_eq!(client.get(key).await.unwrap().unwrap().mod_revision, 3);
    }
    assert_eq!(client.put("c", "1").await.unwrap(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn seven_of_many_creates_one_wins() {
    let (_site, client) = site().await;
    for round in 0..CREATE_ROUNDS {
        let mut rivals = JoinSet::new();
        for rival in 0..CREATE_RIVALS {
            let mut client = client.clone();
            rivals.spawn(async move {
                let key = format!("round-{round}");
                let absent = Compare {
                    key: key.clone().into(),
                    target: compare::CompareTarget::Mod.into(),
                    target_union: Some(compare::TargetUnion::ModRevision(0)),
                    ..Compare::default()
                };
                client.txn(vec![absent], vec![put_op(&key, &rival.to_string())], vec![]).await.unwrap().succeeded
            });
        }
        assert_eq!(rivals.join_all().await.into_iter().filter(|won| *won).count(), 1, "round {round}");
    }
}

#[tokio::test]
async fn eight_a_slow_watcher_loses_nothing() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    let create = WatchCreateRequest { key: "s".into(), range_end: "t".into(), ..WatchCreateRequest::default() };
    stream.create(create).await;
    // Nobody reads the stream meanwhile, and the values do not fit its buffers.
    let value = vec![7_u8; 4096];
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (mut client, value) = (client.clone(), value.clone());
        writers.spawn(async move {
            for n in 0..SLOW_WATCHER_EVENTS / 8 {
                client.put(format!("s{writer}-{n}"), value.clone()).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let mut revisions = Vec::new();
    while revisions.len() < SLOW_WATCHER_EVENTS {
        revisions.extend(stream.next().await.events.iter().map(|event| kv(&event.kv).mod_revision));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(revisions, (2..2 + SLOW_WATCHER_EVENTS as i64).collect::<Vec<_>>());
    assert_eq!(revisions.iter().collect::<BTreeSet<_>>().len(), SLOW_WATCHER_EVENTS);
}

#[tokio::test]
async fn nine_a_range_whose_start_is_above_its_end_holds_nothing() {
    let (_site, mut client) = site().await;
    client.put("b", "1").await.unwrap();
    let reply =
        client.range(RangeRequest { key: "c".into(), range_end: "a".into(), ..RangeRequest::default() }).await.unwrap();
    assert_eq!((reply.count, reply.kvs.len(), reply.more), (0, 0, false));
    let delete = DeleteRangeRequest { key: "c".into(), range_end: "a".into(), prev_kv: false };
    let reply = client.kv.delete_range(delete).await.unwrap().into_inner();
    assert_eq!((reply.deleted, revision(reply.header)), (0, 2));
    let mut stream = client.watch_stream().await.unwrap();
    let refused = stream
        .create(WatchCreateRequest { key: "c".into(), range_end: "a".into(), ..WatchCreateRequest::default() })
        .await;
    assert!(refused.created && refused.canceled);
    assert_eq!((refused.watch_id, refused.cancel_reason.as_str()), (-1, "mvcc: watcher range is empty"));
}
