//! Every method of the interface, called by nobody, with a wrong token, by a user without permissions, by one with some,
//! and by root. A method of the proto that has no row here fails the test.

use super::{
    auth::{CHEAP, add_user, allow, enable, grant, token, with},
    site_with,
};
use archipel_storage_tests::client::{
    Client, put_op, range_op,
    wire::{
        AlarmRequest, AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthRoleDeleteRequest,
        AuthRoleGetRequest, AuthRoleGrantPermissionRequest, AuthRoleListRequest, AuthRoleRevokePermissionRequest,
        AuthStatusRequest, AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest,
        AuthUserGetRequest, AuthUserGrantRoleRequest, AuthUserListRequest, AuthUserRevokeRoleRequest,
        AuthenticateRequest, CompactionRequest, Compare, DefragmentRequest, DeleteRangeRequest, DowngradeRequest,
        HashKvRequest, HashRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest,
        LeaseTimeToLiveRequest, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest,
        MemberUpdateRequest, MoveLeaderRequest, PutRequest, RangeRequest, RequestOp, SnapshotRequest, StatusRequest,
        TxnRequest, WatchCreateRequest, alarm_request::AlarmAction, permission::Type, request_op::Request as Op,
    },
};
use std::{collections::BTreeSet, pin::Pin};
use tokio_stream::StreamExt;
use tonic::{Code, Status};

/// The interface itself.
const PROTO: &str = include_str!("../../../etcd-shim/proto/etcd/rpc.proto");
/// Leases of root: one that holds a key which ann may write and read, one with a key that only root may.
const ANNS_LEASE: i64 = 11;
const ROOTS_LEASE: i64 = 12;
/// Accounts do not know it, so nothing happens to it.
const GHOST: &str = "ghost";

/// Who a method answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Right {
    /// Everybody whose token is not wrong.
    Anybody,
    /// Everybody, and no token is looked at.
    Everybody,
    /// Whoever has a good token.
    Somebody,
    /// Whoever has the permission: ann and root.
    Permitted,
    Root,
}

type Outcome = Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;
type Row = (&'static str, Right, Box<dyn Fn(Client, String) -> Outcome>);

/// A row of a unary method.
macro_rules! row {
    ($name:literal, $right:ident, $client:ident . $method:ident, $request:expr) => {
        (
            $name,
            Right::$right,
            Box::new(|mut client: Client, token: String| -> Outcome {
                Box::pin(async move { client.$client.$method(with(&token, $request)).await.map(|_| ()) })
            }),
        )
    };
}

/// A row of a method that answers with a stream: its first answer counts.
macro_rules! stream_row {
    ($name:literal, $right:ident, $client:ident . $method:ident, $request:expr) => {
        (
            $name,
            Right::$right,
            Box::new(|mut client: Client, token: String| -> Outcome {
                Box::pin(async move {
                    let mut answers = client.$client.$method(with(&token, $request)).await?.into_inner();
                    answers.message().await.map(|_| ())
                })
            }),
        )
    };
}

fn range(key: &'static str, end: &'static str) -> RangeRequest {
    RangeRequest { key: key.into(), range_end: end.into(), ..RangeRequest::default() }
}

fn put(key: &'static str, lease: i64, prev_kv: bool) -> PutRequest {
    PutRequest { key: key.into(), lease, prev_kv, ..PutRequest::default() }
}

fn delete(key: &'static str, end: &'static str, prev_kv: bool) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), range_end: end.into(), prev_kv }
}

/// An operation that ann may do, beside `op`, which she may or may not do, so many transactions deep.
fn nested(op: Op, depth: usize) -> TxnRequest {
    let wrap = |op: RequestOp| TxnRequest { success: vec![range_op("b1")], failure: vec![op], ..TxnRequest::default() };
    (0..depth)
        .fold(wrap(RequestOp { request: Some(op) }), |txn, _| wrap(RequestOp { request: Some(Op::RequestTxn(txn)) }))
}

fn compare(key: &'static str) -> TxnRequest {
    TxnRequest { compare: vec![Compare { key: key.into(), ..Compare::default() }], ..TxnRequest::default() }
}

fn watch_row(key: &'static str, end: &'static str, right: Right) -> Row {
    let call = move |mut client: Client, token: String| -> Outcome {
        Box::pin(async move {
            let create = WatchCreateRequest { key: key.into(), range_end: end.into(), ..Default::default() };
            let answer = client.watch_stream_as(&token).await?.create(create).await;
            if !answer.canceled {
                return Ok(());
            }
            // A watch is refused by its own text, which has Go's name of the code.
            let reason = answer.cancel_reason.strip_prefix("rpc error: code = ").unwrap();
            let (name, text) = reason.split_once(" desc = ").unwrap();
            let codes = [Code::InvalidArgument, Code::PermissionDenied, Code::Unauthenticated];
            let code = codes.into_iter().find(|code| format!("{code:?}") == name).unwrap();
            Err(Status::new(code, text))
        })
    };
    ("Watch.Watch", right, Box::new(call))
}

fn keep_alive_row(id: i64, right: Right) -> Row {
    let call = move |mut client: Client, token: String| -> Outcome {
        Box::pin(async move {
            let requests = tokio_stream::iter([LeaseKeepAliveRequest { id }]).chain(tokio_stream::pending());
            let mut answers = client.lease.lease_keep_alive(with(&token, requests)).await?.into_inner();
            answers.message().await.map(|_| ())
        })
    };
    ("Lease.LeaseKeepAlive", right, Box::new(call))
}

/// Ann reads and writes [b, c), reads r and writes w.
fn kv_rows() -> Vec<Row> {
    let put_root = || Op::RequestPut(put("z", 0, false));
    let mut rows: Vec<Row> = vec![
        row!("KV.Range", Permitted, kv.range, range("r", "")),
        row!("KV.Range", Permitted, kv.range, range("b", "c")),
        row!("KV.Range", Root, kv.range, range("b", "c\0")),
        row!("KV.Range", Root, kv.range, range("w", "")),
        row!("KV.Range", Root, kv.range, range("b", "\0")),
        row!("KV.Range", Root, kv.range, range("\0", "\0")),
        stream_row!("KV.RangeStream", Permitted, kv.range_stream, range("b", "c")),
        stream_row!("KV.RangeStream", Root, kv.range_stream, range("b", "d")),
        row!("KV.Put", Permitted, kv.put, put("w", 0, false)),
        row!("KV.Put", Root, kv.put, put("w", 0, true)),
        row!("KV.Put", Permitted, kv.put, put("b1", 0, true)),
        row!("KV.Put", Root, kv.put, put("r", 0, false)),
        row!("KV.Put", Permitted, kv.put, put("b2", ANNS_LEASE, false)),
        row!("KV.Put", Root, kv.put, put("b3", ROOTS_LEASE, false)),
        row!("KV.DeleteRange", Permitted, kv.delete_range, delete("w", "", false)),
        row!("KV.DeleteRange", Root, kv.delete_range, delete("w", "", true)),
        row!("KV.DeleteRange", Permitted, kv.delete_range, delete("b5", "c", true)),
        row!("KV.DeleteRange", Root, kv.delete_range, delete("b5", "\0", false)),
        row!("KV.Txn", Permitted, kv.txn, compare("r")),
        row!("KV.Txn", Root, kv.txn, compare("w")),
        row!("KV.Txn", Anybody, kv.txn, TxnRequest::default()),
        row!("KV.Txn", Permitted, kv.txn, TxnRequest { success: vec![put_op("w", "")], ..TxnRequest::default() }),
        row!("KV.Compact", Root, kv.compact, CompactionRequest { revision: 1, physical: false }),
    ];
    for depth in 0..4 {
        let ops = [
            (Op::RequestRange(range("r", "")), Right::Permitted),
            (Op::RequestRange(range("w", "")), Right::Root),
            (Op::RequestPut(put("w", 0, true)), Right::Root),
            (Op::RequestPut(put("w", ROOTS_LEASE, false)), Right::Root),
            (Op::RequestDeleteRange(delete("w", "", false)), Right::Permitted),
            (Op::RequestDeleteRange(delete("w", "", true)), Right::Root),
            (put_root(), Right::Root),
            (Op::RequestTxn(compare("w")), Right::Root),
        ];
        for (op, right) in ops {
            let call = move |mut client: Client, token: String| -> Outcome {
                let txn = nested(op.clone(), depth);
                Box::pin(async move { client.kv.txn(with(&token, txn)).await.map(|_| ()) })
            };
            rows.push(("KV.Txn", right, Box::new(call)));
        }
    }
    rows
}

fn watch_and_lease_rows() -> Vec<Row> {
    vec![
        watch_row("b", "c", Right::Permitted),
        watch_row("r", "", Right::Permitted),
        watch_row("r", "\0", Right::Root),
        watch_row("", "\0", Right::Root),
        watch_row("", "", Right::Root),
        watch_row("w", "", Right::Root),
        row!("Lease.LeaseGrant", Somebody, lease.lease_grant, LeaseGrantRequest { ttl: 60, id: 0 }),
        keep_alive_row(ANNS_LEASE, Right::Permitted),
        keep_alive_row(ROOTS_LEASE, Right::Root),
        keep_alive_row(99, Right::Somebody),
        row!(
            "Lease.LeaseTimeToLive",
            Permitted,
            lease.lease_time_to_live,
            LeaseTimeToLiveRequest { id: ANNS_LEASE, keys: true }
        ),
        row!(
            "Lease.LeaseTimeToLive",
            Root,
            lease.lease_time_to_live,
            LeaseTimeToLiveRequest { id: ROOTS_LEASE, keys: true }
        ),
        row!(
            "Lease.LeaseTimeToLive",
            Somebody,
            lease.lease_time_to_live,
            LeaseTimeToLiveRequest { id: ROOTS_LEASE, keys: false }
        ),
        row!("Lease.LeaseLeases", Root, lease.lease_leases, LeaseLeasesRequest {}),
        row!("Lease.LeaseRevoke", Somebody, lease.lease_revoke, LeaseRevokeRequest { id: 99 }),
        row!("Lease.LeaseRevoke", Root, lease.lease_revoke, LeaseRevokeRequest { id: ROOTS_LEASE }),
    ]
}

fn cluster_and_maintenance_rows() -> Vec<Row> {
    vec![
        row!("Cluster.MemberList", Somebody, cluster.member_list, MemberListRequest::default()),
        row!(
            "Cluster.MemberAdd",
            Root,
            cluster.member_add,
            MemberAddRequest { peer_ur_ls: vec!["http://127.0.0.1:1".into()], is_learner: true }
        ),
        row!("Cluster.MemberRemove", Root, cluster.member_remove, MemberRemoveRequest { id: 99 }),
        row!("Cluster.MemberUpdate", Root, cluster.member_update, MemberUpdateRequest { id: 99, peer_ur_ls: vec![] }),
        row!("Cluster.MemberPromote", Root, cluster.member_promote, MemberPromoteRequest { id: 99 }),
        row!("Maintenance.Alarm", Somebody, maintenance.alarm, AlarmRequest::default()),
        row!(
            "Maintenance.Alarm",
            Root,
            maintenance.alarm,
            AlarmRequest { action: AlarmAction::Deactivate.into(), ..AlarmRequest::default() }
        ),
        row!("Maintenance.Status", Somebody, maintenance.status, StatusRequest {}),
        row!("Maintenance.Defragment", Root, maintenance.defragment, DefragmentRequest {}),
        row!("Maintenance.Hash", Root, maintenance.hash, HashRequest {}),
        row!("Maintenance.HashKV", Root, maintenance.hash_kv, HashKvRequest::default()),
        stream_row!("Maintenance.Snapshot", Root, maintenance.snapshot, SnapshotRequest {}),
        row!("Maintenance.MoveLeader", Root, maintenance.move_leader, MoveLeaderRequest { target_id: 99 }),
        row!("Maintenance.Downgrade", Root, maintenance.downgrade, DowngradeRequest::default()),
    ]
}

fn auth_rows() -> Vec<Row> {
    vec![
        row!("Auth.AuthStatus", Anybody, auth.auth_status, AuthStatusRequest {}),
        row!(
            "Auth.Authenticate",
            Everybody,
            auth.authenticate,
            AuthenticateRequest { name: "ann".into(), password: "ann-password".into() }
        ),
        row!("Auth.AuthEnable", Root, auth.auth_enable, AuthEnableRequest {}),
        row!(
            "Auth.UserAdd",
            Root,
            auth.user_add,
            AuthUserAddRequest { name: "ann".into(), password: "p".into(), ..Default::default() }
        ),
        row!("Auth.UserGet", Permitted, auth.user_get, AuthUserGetRequest { name: "ann".into() }),
        row!("Auth.UserGet", Root, auth.user_get, AuthUserGetRequest { name: GHOST.into() }),
        row!("Auth.UserList", Root, auth.user_list, AuthUserListRequest {}),
        row!("Auth.UserDelete", Root, auth.user_delete, AuthUserDeleteRequest { name: GHOST.into() }),
        row!(
            "Auth.UserChangePassword",
            Root,
            auth.user_change_password,
            AuthUserChangePasswordRequest { name: GHOST.into(), password: "p".into(), ..Default::default() }
        ),
        row!(
            "Auth.UserGrantRole",
            Root,
            auth.user_grant_role,
            AuthUserGrantRoleRequest { user: GHOST.into(), role: "some".into() }
        ),
        row!(
            "Auth.UserRevokeRole",
            Root,
            auth.user_revoke_role,
            AuthUserRevokeRoleRequest { name: GHOST.into(), role: "some".into() }
        ),
        row!("Auth.RoleAdd", Root, auth.role_add, AuthRoleAddRequest { name: "some".into() }),
        row!("Auth.RoleGet", Permitted, auth.role_get, AuthRoleGetRequest { role: "some".into() }),
        row!("Auth.RoleGet", Root, auth.role_get, AuthRoleGetRequest { role: GHOST.into() }),
        row!("Auth.RoleList", Root, auth.role_list, AuthRoleListRequest {}),
        row!("Auth.RoleDelete", Root, auth.role_delete, AuthRoleDeleteRequest { role: GHOST.into() }),
        row!(
            "Auth.RoleGrantPermission",
            Root,
            auth.role_grant_permission,
            AuthRoleGrantPermissionRequest { name: GHOST.into(), perm: None }
        ),
        row!(
            "Auth.RoleRevokePermission",
            Root,
            auth.role_revoke_permission,
            AuthRoleRevokePermissionRequest { role: GHOST.into(), ..Default::default() }
        ),
        // The last row of the last caller.
        row!("Auth.AuthDisable", Root, auth.auth_disable, AuthDisableRequest {}),
    ]
}

fn rows() -> Vec<Row> {
    let mut rows = kv_rows();
    rows.extend(watch_and_lease_rows());
    rows.extend(cluster_and_maintenance_rows());
    rows.extend(auth_rows());
    rows
}

/// The methods of the proto, as Service.Method.
fn methods() -> BTreeSet<String> {
    let mut service = "";
    let mut methods = BTreeSet::new();
    for line in PROTO.lines().map(str::trim) {
        let word = |prefix: &str| line.strip_prefix(prefix)?.split([' ', '(']).next();
        if let Some(name) = word("service ") {
            service = name;
        } else if let Some(name) = word("rpc ") {
            methods.insert(format!("{service}.{name}"));
        }
    }
    methods
}

/// The refusal of a caller by accounts; None if they let it pass, whatever became of the call then.
fn refusal(outcome: Result<(), Status>) -> Option<(Code, String)> {
    let status = outcome.err()?;
    let texts = ["user name is empty", "invalid auth token", "permission denied", "revision of auth store is old"];
    let by_accounts = texts.iter().any(|text| status.message() == format!("etcdserver: {text}"));
    by_accounts.then(|| (status.code(), status.message().to_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Caller {
    Nobody,
    Wrong,
    /// A user without a role.
    Bob,
    /// A user with permissions.
    Ann,
    Root,
}

fn expected(right: Right, caller: Caller) -> Option<(Code, String)> {
    let refused = |code, text: &str| Some((code, format!("etcdserver: {text}")));
    match (right, caller) {
        (Right::Everybody, _) | (_, Caller::Root) | (Right::Anybody, Caller::Nobody) => None,
        (_, Caller::Wrong) => refused(Code::Unauthenticated, "invalid auth token"),
        (_, Caller::Nobody) => refused(Code::InvalidArgument, "user name is empty"),
        (Right::Anybody | Right::Somebody, _) | (Right::Permitted, Caller::Ann) => None,
        (Right::Permitted | Right::Root, _) => refused(Code::PermissionDenied, "permission denied"),
    }
}

#[test]
fn every_method_has_a_row() {
    let have: BTreeSet<String> = rows().iter().map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(have, methods());
}

#[tokio::test]
async fn every_method_answers_whom_it_may() {
    let (_site, mut client) = site_with(CHEAP).await;
    let root = enable(&mut client).await;
    let role = AuthRoleAddRequest { name: "some".into() };
    client.auth.role_add(with(&root, role)).await.unwrap();
    allow(&mut client, &root, "some", Type::Readwrite, "b", "c").await;
    allow(&mut client, &root, "some", Type::Read, "r", "").await;
    allow(&mut client, &root, "some", Type::Write, "w", "").await;
    for user in ["ann", "bob"] {
        add_user(&mut client, &root, user).await;
    }
    grant(&mut client, &root, "ann", "some").await;
    for (id, key) in [(ANNS_LEASE, "b4"), (ROOTS_LEASE, "z")] {
        client.lease.lease_grant(with(&root, LeaseGrantRequest { ttl: 600, id })).await.unwrap();
        client.kv.put(with(&root, put(key, id, false))).await.unwrap();
    }
    let tokens = [
        (Caller::Nobody, String::new()),
        (Caller::Wrong, "wrong.1".to_owned()),
        (Caller::Bob, token(&mut client, "bob").await),
        (Caller::Ann, token(&mut client, "ann").await),
        (Caller::Root, root),
    ];
    let mut differences = Vec::new();
    for (caller, token) in tokens {
        for (at, (name, right, call)) in rows().iter().enumerate() {
            let got = refusal(call(client.clone(), token.clone()).await);
            let want = expected(*right, caller);
            if got != want {
                differences.push(format!("row {at} {name} ({right:?}) by {caller:?}: {got:?} and not {want:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}
