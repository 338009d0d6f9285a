//! Members: one that serves, and what can be said of others.

use super::{is_foreign, site};
use archipel_storage_tests::client::{
    Client,
    wire::{
        Member, MemberAddRequest, MemberListRequest, MemberListResponse, MemberPromoteRequest, MemberRemoveRequest,
        MemberUpdateRequest, MoveLeaderRequest, ResponseHeader,
    },
};
use tonic::{Code, Status};

async fn list(client: &mut Client) -> (ResponseHeader, Vec<Member>) {
    let MemberListResponse { header, members } =
        client.cluster.member_list(MemberListRequest::default()).await.unwrap().into_inner();
    (header.unwrap(), members)
}

async fn add(client: &mut Client, url: &str, is_learner: bool) -> Result<Member, Status> {
    let request = MemberAddRequest { peer_ur_ls: vec![url.into()], is_learner };
    let reply = client.cluster.member_add(request).await?.into_inner();
    let member = reply.member.unwrap();
    assert!(reply.members.contains(&member));
    Ok(member)
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, Status>) -> (Code, String) {
    let status = outcome.unwrap_err();
    (status.code(), status.message().to_owned())
}

#[tokio::test]
async fn ids_outlive_a_restart_and_the_only_member_is_this_site() {
    let (mut site, mut client) = site().await;
    let (header, members) = list(&mut client).await;
    assert_eq!(members.len(), 1);
    assert_eq!((members[0].id, members[0].name.as_str(), members[0].is_learner), (header.member_id, "nantes", false));
    assert_eq!(header.revision, 0, "headers of this service carry no revision");
    assert_eq!(members[0].peer_ur_ls, ["http://localhost:2380"]);
    if !is_foreign() {
        assert_eq!(members[0].client_ur_ls, [site.url()]);
    }
    site.terminate().unwrap();
    site.launch().unwrap();
    let mut client = Client::connect(site.url()).await.unwrap();
    let (again, _) = list(&mut client).await;
    assert_eq!((again.cluster_id, again.member_id), (header.cluster_id, header.member_id));
}

#[tokio::test]
async fn the_only_member_can_neither_leave_nor_be_promoted() {
    let (_site, mut client) = site().await;
    let (header, _) = list(&mut client).await;
    let this = header.member_id;
    let removed = client.cluster.member_remove(MemberRemoveRequest { id: this }).await;
    let few = "etcdserver: re-configuration failed due to not enough started members";
    assert_eq!(refusal(removed), (Code::Unknown, few.into()));
    let promoted = client.cluster.member_promote(MemberPromoteRequest { id: this }).await;
    let not = "etcdserver: can only promote a learner member";
    assert_eq!(refusal(promoted), (Code::FailedPrecondition, not.into()));
    let promoted = client.cluster.member_promote(MemberPromoteRequest { id: 1 }).await;
    assert_eq!(refusal(promoted), (Code::NotFound, "etcdserver: member not found".into()));
    client.maintenance.move_leader(MoveLeaderRequest { target_id: this }).await.unwrap();
    let moved = client.maintenance.move_leader(MoveLeaderRequest { target_id: 1 }).await;
    assert_eq!(refusal(moved), (Code::FailedPrecondition, "etcdserver: bad leader transferee".into()));
}

#[tokio::test]
async fn a_learner_is_listed_updated_and_removed_but_never_in_sync() {
    let (_site, mut client) = site().await;
    let learner = add(&mut client, "http://localhost:123", true).await.unwrap();
    assert_eq!((learner.peer_ur_ls.as_slice(), learner.is_learner), (&["http://localhost:123".to_owned()][..], true));
    assert_eq!((learner.name.as_str(), learner.client_ur_ls.len()), ("", 0));
    assert_eq!(list(&mut client).await.1.len(), 2);
    let second = add(&mut client, "http://localhost:124", true).await;
    let many = "etcdserver: too many learner members in cluster";
    assert_eq!(refusal(second), (Code::FailedPrecondition, many.into()));
    let promoted = client.cluster.member_promote(MemberPromoteRequest { id: learner.id }).await;
    let behind = "etcdserver: can only promote a learner member which is in sync with leader";
    assert_eq!(refusal(promoted), (Code::FailedPrecondition, behind.into()));
    let moved = client.maintenance.move_leader(MoveLeaderRequest { target_id: learner.id }).await;
    assert_eq!(refusal(moved).0, Code::FailedPrecondition);

    let update = |id, url: &str| MemberUpdateRequest { id, peer_ur_ls: vec![url.into()] };
    client.cluster.member_update(update(learner.id, "http://localhost:999")).await.unwrap();
    let taken = client.cluster.member_update(update(learner.id, "http://localhost:2380")).await;
    assert_eq!(refusal(taken), (Code::FailedPrecondition, "etcdserver: Peer URLs already exists".into()));
    let unknown = client.cluster.member_update(update(1, "http://localhost:77")).await;
    assert_eq!(refusal(unknown), (Code::NotFound, "etcdserver: member not found".into()));
    let (_, members) = list(&mut client).await;
    assert!(members.iter().any(|member| member.peer_ur_ls == ["http://localhost:999"]));

    client.put("a", "1").await.expect("a learner has no vote");
    client.cluster.member_remove(MemberRemoveRequest { id: learner.id }).await.unwrap();
    let again = client.cluster.member_remove(MemberRemoveRequest { id: learner.id }).await;
    assert_eq!(refusal(again), (Code::NotFound, "etcdserver: member not found".into()));
    assert_eq!(list(&mut client).await.1.len(), 1);
}

#[tokio::test]
async fn a_voter_is_added_once_and_only_with_a_url() {
    let (_site, mut client) = site().await;
    for wrong in ["localhost:123", "http://localhost", "http://localhost:1/path", ""] {
        let outcome = add(&mut client, wrong, false).await;
        assert_eq!(refusal(outcome), (Code::InvalidArgument, "etcdserver: given member URLs are invalid".into()));
    }
    let taken = add(&mut client, "http://localhost:2380", false).await;
    assert_eq!(refusal(taken), (Code::FailedPrecondition, "etcdserver: Peer URLs already exists".into()));
    let voter = add(&mut client, "http://localhost:123", false).await.unwrap();
    assert!(!voter.is_learner);
    let third = add(&mut client, "http://localhost:124", false).await;
    assert_eq!(refusal(third).1, "etcdserver: re-configuration failed due to not enough started members");
    if !is_foreign() {
        // Here etcd waits for the new member's vote; this site has no quorum to lose.
        client.put("a", "1").await.unwrap();
        client.cluster.member_remove(MemberRemoveRequest { id: voter.id }).await.unwrap();
    }
}
