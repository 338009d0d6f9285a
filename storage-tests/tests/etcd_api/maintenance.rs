//! Status, alarms and the quota, checksums, members.

use super::{site, site_with};
use archipel_storage_tests::client::wire::{
    AlarmRequest, AlarmType, CompactionRequest, DefragmentRequest, HashKvRequest, MemberAddRequest, MemberListRequest,
    MemberPromoteRequest, MemberRemoveRequest, MoveLeaderRequest, StatusRequest, alarm_request::AlarmAction,
};
use tonic::Code;

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
async fn ids_outlive_a_restart_and_the_only_member_is_this_site() {
    let (mut site, mut client) = site().await;
    let list = |reply: archipel_storage_tests::client::wire::MemberListResponse| (reply.header.unwrap(), reply.members);
    let (header, members) = list(client.cluster.member_list(MemberListRequest::default()).await.unwrap().into_inner());
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].id, members[0].name.as_str(), members[0].is_learner), (header.member_id, "nantes", false));
    assert_eq!(members[0].client_ur_ls, [site.url()]);
    site.terminate().unwrap();
    site.launch().unwrap();
    let mut client = archipel_storage_tests::client::Client::connect(site.url()).await.unwrap();
    let (again, _) = list(client.cluster.member_list(MemberListRequest::default()).await.unwrap().into_inner());
    assert_eq!((again.cluster_id, again.member_id), (header.cluster_id, header.member_id));
}

#[tokio::test]
async fn changes_of_membership_are_refused() {
    let (_site, mut client) = site().await;
    let add = MemberAddRequest { peer_ur_ls: vec!["http://127.0.0.1:1".into()], is_learner: false };
    assert_eq!(client.cluster.member_add(add).await.unwrap_err().code(), Code::FailedPrecondition);
    let refusal = client.cluster.member_remove(MemberRemoveRequest { id: 1 }).await.unwrap_err();
    assert_eq!((refusal.code(), refusal.message()), (Code::NotFound, "etcdserver: member not found"));
    let refusal = client.cluster.member_promote(MemberPromoteRequest { id: 1 }).await.unwrap_err();
    assert_eq!(refusal.code(), Code::NotFound);
    let refusal = client.maintenance.move_leader(MoveLeaderRequest { target_id: 1 }).await.unwrap_err();
    assert_eq!(refusal.message(), "etcdserver: bad leader transferee");
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
    assert_eq!(client.maintenance.hash_kv(at(3)).await.unwrap().into_inner().hash, third.hash);
    assert_eq!(client.maintenance.hash_kv(at(2)).await.unwrap_err().code(), Code::OutOfRange);
    assert_eq!(client.maintenance.hash_kv(at(9)).await.unwrap_err().code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_full_store_refuses_writes_until_room_is_made() {
    let (site, mut client) = site_with(&["--quota-backend-bytes=1000000"]).await;
    let value = "v".repeat(100_000);
    let refusal = loop {
        match client.put("a", value.clone()).await {
            Ok(revision) => assert!(revision < 30, "the quota was passed"),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(
        (refusal.code(), refusal.message()),
        (Code::ResourceExhausted, "etcdserver: mvcc: database space exceeded")
    );
    assert!(site.http_get("/health").unwrap().contains("ALARM NOSPACE"));
    assert!(site.http_get("/health?exclude=NOSPACE").unwrap().starts_with("HTTP/1.1 200"));
    let alarm =
        |action: AlarmAction| AlarmRequest { action: action.into(), member_id: 0, alarm: AlarmType::None.into() };
    let raised = client.maintenance.alarm(alarm(AlarmAction::Get)).await.unwrap().into_inner().alarms;
    assert_eq!(raised.iter().map(|member| member.alarm()).collect::<Vec<_>>(), [AlarmType::Nospace]);

    let deleted = client.delete("a").await.expect("deletes still work");
    client.kv.compact(CompactionRequest { revision: deleted, physical: true }).await.unwrap();
    client.maintenance.defragment(DefragmentRequest {}).await.unwrap();
    assert!(client.put("a", "1").await.is_err(), "the alarm stays until it is disarmed");
    client.maintenance.alarm(alarm(AlarmAction::Deactivate)).await.unwrap();
    client.put("a", "1").await.unwrap();
}
