//! Status, alarms and the quota, checksums, downgrades.

use super::{is_foreign, site, site_with};
use archipel_storage_tests::client::{
    Client,
    wire::{
        AlarmMember, AlarmRequest, AlarmType, CompactionRequest, DefragmentRequest, DowngradeRequest, HashKvRequest,
        HashRequest, LeaseGrantRequest, RangeRequest, SnapshotRequest, StatusRequest, alarm_request::AlarmAction,
        downgrade_request::DowngradeAction,
    },
};
use std::time::Duration;
use tonic::{Code, Status};

#[tokio::test]
async fn status_speaks_of_one_leader() {
    let (_site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    let status = client.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    let header = status.header.unwrap();
    assert_eq!((status.version.as_str(), status.storage_version.as_str()), ("3.7.3", "3.7.0"));
    assert_eq!((status.leader, status.is_learner, header.revision), (header.member_id, false, 2));
    assert!(status.raft_index >= status.raft_applied_index && status.raft_applied_index > 0 && status.raft_term > 0);
    assert!(status.db_size > 0 && status.db_size_in_use > 0 && status.db_size_in_use <= status.db_size);
    assert_eq!((status.db_size_quota, status.errors.len()), (2 << 30, 0));
}

#[tokio::test]
async fn a_checksum_belongs_to_a_revision() {
    let (_site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    client.put("b", "1").await.unwrap();
    let at = |revision| HashKvRequest { revision };
    let second = client.maintenance.hash_kv(at(2)).await.unwrap().into_inner();
    let third = client.maintenance.hash_kv(at(0)).await.unwrap().into_inner();
    assert_ne!(second.hash, third.hash);
    assert_eq!((third.hash_revision, third.compact_revision), (3, -1));
    client.put("c", "1").await.unwrap();
    client.kv.compact(CompactionRequest { revision: 3, physical: true }).await.unwrap();
    let compacted = client.maintenance.hash_kv(at(3)).await.unwrap().into_inner();
    if !is_foreign() {
        // etcd remembers the checksum from before the compaction, with the compact revision of then.
        assert_eq!(compacted.compact_revision, 3);
        assert_eq!(compacted.hash, third.hash);
    }
    assert_eq!(client.maintenance.hash_kv(at(2)).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(client.maintenance.hash_kv(at(9)).await.unwrap_err().code(), Code::OutOfRange);
}

const ALL: AlarmType = AlarmType::None;
const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";

async fn alarm(client: &mut Client, action: AlarmAction, member_id: u64, kind: AlarmType) -> Vec<AlarmMember> {
    let request = AlarmRequest { action: action.into(), member_id, alarm: kind.into() };
    client.maintenance.alarm(request).await.unwrap().into_inner().alarms
}

/// What etcdctl does at `alarm disarm`.
async fn disarm_all(client: &mut Client) {
    for raised in alarm(client, AlarmAction::Get, 0, ALL).await {
        let was = alarm(client, AlarmAction::Deactivate, raised.member_id, raised.alarm()).await;
        assert_eq!(was, [raised]);
    }
}

/// Puts values of `bytes` under one key until there is no room.
async fn fill(client: &mut Client, bytes: usize, puts_max: usize) -> Status {
    for _ in 0..puts_max {
        if let Err(refusal) = client.put("a", "v".repeat(bytes)).await {
            return refusal;
        }
    }
    panic!("{puts_max} puts of {bytes} bytes were taken");
}

/// etcd's own tests of the quota (tests/common/alarm_test.go) use these sizes.
#[tokio::test]
async fn a_full_store_refuses_writes_until_room_is_made() {
    let (mut site, mut client) = site_with(&["--quota-backend-bytes=53248"]).await;
    client.put("small", "1").await.expect("an empty store has room");
    let refusal = fill(&mut client, 4096, 200).await;
    assert_eq!((refusal.code(), refusal.message()), (Code::ResourceExhausted, NO_SPACE));
    assert!(site.http_get("/health").unwrap().contains("ALARM NOSPACE"));
    assert!(site.http_get("/health?exclude=NOSPACE").unwrap().starts_with("HTTP/1.1 200"));
    let raised = alarm(&mut client, AlarmAction::Get, 0, ALL).await;
    assert_eq!(raised.iter().map(|member| member.alarm()).collect::<Vec<_>>(), [AlarmType::Nospace]);
    let status = client.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.errors, [format!("memberID:{} alarm:NOSPACE", status.leader)]);
    assert_eq!(client.lease.lease_grant(LeaseGrantRequest { id: 0, ttl: 60 }).await.unwrap_err().message(), NO_SPACE);

    site.kill().unwrap();
    site.launch().unwrap();
    let mut client = Client::connect(site.url()).await.unwrap();
    assert_eq!(client.put("small", "1").await.unwrap_err().message(), NO_SPACE);

    let deleted = client.delete("a").await.expect("deletes still work");
    client.kv.compact(CompactionRequest { revision: deleted, physical: true }).await.unwrap();
    client.maintenance.defragment(DefragmentRequest {}).await.unwrap();
    assert!(client.put("a", "1").await.is_err(), "the alarm stays until it is disarmed");
    disarm_all(&mut client).await;
    client.put("a", "1").await.unwrap();
}

#[tokio::test]
async fn a_tiny_quota_is_met_by_small_values() {
    let (_site, mut client) = site_with(&["--quota-backend-bytes=5120"]).await;
    assert_eq!(fill(&mut client, 1024, 10).await.message(), NO_SPACE);
}

#[tokio::test]
async fn alarms_belong_to_members_and_outlive_a_restart() {
    let (mut site, mut client) = site().await;
    assert!(alarm(&mut client, AlarmAction::Activate, 0, ALL).await.is_empty());
    let raised = alarm(&mut client, AlarmAction::Activate, 5, AlarmType::Nospace).await;
    assert_eq!(raised, [AlarmMember { member_id: 5, alarm: AlarmType::Nospace.into() }]);
    assert_eq!(client.put("a", "1").await.unwrap_err().message(), NO_SPACE);
    assert!(alarm(&mut client, AlarmAction::Get, 7, AlarmType::Corrupt).await.is_empty());
    assert_eq!(alarm(&mut client, AlarmAction::Get, 7, AlarmType::Nospace).await, raised);
    assert!(alarm(&mut client, AlarmAction::Deactivate, 5, ALL).await.is_empty());
    assert!(alarm(&mut client, AlarmAction::Deactivate, 6, AlarmType::Nospace).await.is_empty());
    assert_eq!(alarm(&mut client, AlarmAction::Deactivate, 5, AlarmType::Nospace).await, raised);
    client.put("a", "1").await.unwrap();

    alarm(&mut client, AlarmAction::Activate, 5, AlarmType::Corrupt).await;
    let refusals = [
        client.put("a", "1").await.unwrap_err(),
        client.delete("a").await.unwrap_err(),
        client.kv.compact(CompactionRequest { revision: 2, physical: false }).await.unwrap_err(),
    ];
    for refusal in refusals {
        assert_eq!((refusal.code(), refusal.message()), (Code::DataLoss, "etcdserver: corrupt cluster"));
    }
    assert!(client.get("a").await.unwrap().is_some(), "reads go on");
    assert!(site.http_get("/health").unwrap().contains("ALARM CORRUPT"));
    assert!(site.http_get("/readyz").unwrap().contains("[-]data_corruption failed: alarm activated: CORRUPT"));
    disarm_all(&mut client).await;
    assert!(site.http_get("/readyz").unwrap().starts_with("HTTP/1.1 200"));
    site.terminate().unwrap();
    site.launch().unwrap();
    let mut client = Client::connect(site.url()).await.unwrap();
    assert!(alarm(&mut client, AlarmAction::Get, 0, ALL).await.is_empty());
}

#[tokio::test]
async fn checksums_of_equal_stores_are_equal_and_outlive_a_restart() {
    let (mut first, mut one) = site().await;
    let (_second, mut other) = site().await;
    for client in [&mut one, &mut other] {
        for n in 0..10 {
            client.put(format!("key/{}", n % 4), format!("value {n}")).await.unwrap();
        }
        client.delete("key/3").await.unwrap();
    }
    let hash = async |client: &mut Client, revision| {
        client.maintenance.hash_kv(HashKvRequest { revision }).await.unwrap().into_inner().hash
    };
    for revision in [0, 5, 12] {
        assert_eq!(hash(&mut one, revision).await, hash(&mut other, revision).await, "{revision}");
    }
    let (at_5, now) = (hash(&mut one, 5).await, hash(&mut one, 0).await);
    let whole = one.maintenance.hash(HashRequest {}).await.unwrap().into_inner();
    assert_eq!(whole.header.unwrap().revision, 12);
    first.kill().unwrap();
    first.launch().unwrap();
    let mut one = Client::connect(first.url()).await.unwrap();
    assert_eq!((hash(&mut one, 5).await, hash(&mut one, 0).await), (at_5, now));
}

#[tokio::test]
async fn a_downgrade_is_noted_and_cancelled() {
    let (_site, mut client) = site().await;
    let downgrade = async |client: &mut Client, action: DowngradeAction, version: &str| {
        let request = DowngradeRequest { action: action.into(), version: version.into() };
        let reply = client.maintenance.downgrade(request).await;
        reply.map(|reply| reply.into_inner().version).map_err(|status| (status.code(), status.message().to_owned()))
    };
    let (validate, enable, cancel) = (DowngradeAction::Validate, DowngradeAction::Enable, DowngradeAction::Cancel);
    assert_eq!(downgrade(&mut client, validate, "3.6").await, Ok("3.7".into()));
    assert_eq!(downgrade(&mut client, validate, "3.6.0").await, Ok("3.7".into()));
    let invalid = (Code::InvalidArgument, "etcdserver: invalid downgrade target version".to_owned());
    for version in ["3.5", "3.7", "2.6"] {
        assert_eq!(downgrade(&mut client, validate, version).await, Err(invalid.clone()), "{version}");
    }
    let format = (Code::InvalidArgument, "etcdserver: wrong downgrade target version format".to_owned());
    assert_eq!(downgrade(&mut client, validate, "abc").await, Err(format));
    assert_eq!(downgrade(&mut client, cancel, "").await, Ok("3.7".into()), "without one, too");
    assert_eq!(downgrade(&mut client, enable, "3.6").await, Ok("3.7".into()));
    let status = client.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    let info = status.downgrade_info.unwrap();
    assert_eq!((info.enabled, info.target_version.as_str()), (true, "3.6.0"));
    let busy = (Code::FailedPrecondition, "etcdserver: cluster has a downgrade job in progress".to_owned());
    assert_eq!(downgrade(&mut client, enable, "3.6").await, Err(busy));
    downgrade(&mut client, cancel, "").await.unwrap();
    let status = client.maintenance.status(StatusRequest {}).await.unwrap().into_inner();
    assert!(!status.downgrade_info.unwrap().enabled);
}

/// A stream of pieces that end in the digest of all before (etcd: server/etcdserver/api/v3rpc/maintenance.go).
#[tokio::test]
async fn a_snapshot_ends_in_its_digest_and_holds_nobody_up() {
    let (_site, mut client) = site().await;
    for n in 0..200 {
        client.put(format!("key/{n}"), "v".repeat(5000)).await.unwrap();
    }
    let mut pieces = client.maintenance.snapshot(SnapshotRequest {}).await.unwrap().into_inner();
    let first = pieces.message().await.unwrap().unwrap();
    assert!((first.remaining_bytes > 0, first.version.as_str()) == (true, "3.7.0") && first.header.is_none());
    // The rest is not taken yet, and a write goes on.
    client.put("key/during", "1").await.unwrap();
    let (mut bytes, mut remaining, mut last) = (first.blob.to_vec(), first.remaining_bytes, first.blob);
    while let Some(piece) = pieces.message().await.unwrap() {
        assert!(piece.remaining_bytes <= remaining);
        remaining = piece.remaining_bytes;
        bytes.extend_from_slice(&piece.blob);
        last = piece.blob;
    }
    assert_eq!((remaining, last.len(), bytes.len() % 512), (0, 32, 32));
    assert!(bytes.len() > 1_000_000);
}

#[tokio::test]
async fn history_is_compacted_without_being_asked() {
    let flags = ["--auto-compaction-mode=periodic", "--auto-compaction-retention=1s"];
    let (_site, mut client) = site_with(&flags).await;
    client.put("a", "1").await.unwrap();
    let old = RangeRequest { key: "a".into(), revision: 2, ..RangeRequest::default() };
    let compacted = async {
        loop {
            client.put("a", "again").await.unwrap();
            match client.range(old.clone()).await {
                Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(refusal) => return refusal,
            }
        }
    };
    let refusal =
        tokio::time::timeout(Duration::from_secs(20), compacted).await.expect("it is compacted in a second or two");
    assert_eq!(refusal.message(), "etcdserver: mvcc: required revision has been compacted");
}
