//! Accounts: life of users, roles and tokens, and what survives a restart.

use super::{site, site_with};
use archipel_storage_tests::client::{
    Client, revision,
    wire::{
        AuthDisableRequest, AuthEnableRequest, AuthRoleAddRequest, AuthRoleDeleteRequest, AuthRoleGetRequest,
        AuthRoleGrantPermissionRequest, AuthRoleListRequest, AuthRoleRevokePermissionRequest, AuthStatusRequest,
        AuthUserAddRequest, AuthUserChangePasswordRequest, AuthUserDeleteRequest, AuthUserGetRequest,
        AuthUserGrantRoleRequest, AuthUserListRequest, AuthUserRevokeRoleRequest, AuthenticateRequest, Permission,
        PutRequest, RangeRequest, RangeResponse, UserAddOptions, WatchCreateRequest, permission::Type,
    },
};
use tonic::{Code, Request, Status};

/// A cheap hash: the tests make many.
pub(crate) const CHEAP: &[&str] = &["--bcrypt-cost", "4"];

/// A request with a token.
pub(crate) fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        request.metadata_mut().insert("token", token.parse().unwrap());
    }
    request
}

pub(crate) fn refused<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code, text: &str) {
    let status = outcome.unwrap_err();
    assert_eq!((status.code(), status.message()), (code, text));
}

pub(crate) async fn add_user(client: &mut Client, token: &str, name: &str) {
    let user = AuthUserAddRequest { name: name.into(), password: format!("{name}-password"), ..Default::default() };
    client.auth.user_add(with(token, user)).await.unwrap();
}

pub(crate) async fn grant(client: &mut Client, token: &str, user: &str, role: &str) {
    let grant = AuthUserGrantRoleRequest { user: user.into(), role: role.into() };
    client.auth.user_grant_role(with(token, grant)).await.unwrap();
}

pub(crate) async fn allow(client: &mut Client, token: &str, role: &str, kind: Type, key: &str, end: &str) {
    let perm = Permission {
        perm_type: kind.into(),
        key: key.to_owned().into_bytes().into(),
        range_end: end.to_owned().into_bytes().into(),
    };
    let request = AuthRoleGrantPermissionRequest { name: role.into(), perm: Some(perm) };
    client.auth.role_grant_permission(with(token, request)).await.unwrap();
}

/// Root, with its role, and accounts asked for; root's token.
pub(crate) async fn enable(client: &mut Client) -> String {
    add_user(client, "", "root").await;
    grant(client, "", "root", "root").await;
    client.auth.auth_enable(AuthEnableRequest {}).await.unwrap();
    token(client, "root").await
}

pub(crate) async fn authenticate(client: &mut Client, name: &str, password: &str) -> Result<String, Status> {
    let request = AuthenticateRequest { name: name.into(), password: password.into() };
    client.auth.authenticate(request).await.map(|reply| reply.into_inner().token)
}

pub(crate) async fn token(client: &mut Client, name: &str) -> String {
    authenticate(client, name, &format!("{name}-password")).await.unwrap()
}

async fn get(client: &mut Client, token: &str, key: &str) -> Result<RangeResponse, Status> {
    let range = RangeRequest { key: key.to_owned().into_bytes().into(), ..RangeRequest::default() };
    client.kv.range(with(token, range)).await.map(tonic::Response::into_inner)
}

async fn auth_revision(client: &mut Client) -> u64 {
    client.auth.auth_status(AuthStatusRequest {}).await.unwrap().into_inner().auth_revision
}

#[tokio::test]
async fn accounts_are_asked_for_only_with_a_root_that_has_its_role() {
    let (_site, mut client) = site_with(CHEAP).await;
    let unready = |outcome, text| refused(outcome, Code::FailedPrecondition, text);
    let off = "etcdserver: authentication is not enabled";
    unready(authenticate(&mut client, "root", "x").await.map(|_| ()), off);
    let enable_now = client.auth.auth_enable(AuthEnableRequest {}).await;
    unready(enable_now.map(|_| ()), "etcdserver: root user does not exist");
    add_user(&mut client, "", "root").await;
    let enable_now = client.auth.auth_enable(AuthEnableRequest {}).await;
    unready(enable_now.map(|_| ()), "etcdserver: root user does not have root role");
    grant(&mut client, "", "root", "root").await;
    let before = auth_revision(&mut client).await;
    client.auth.auth_enable(AuthEnableRequest {}).await.unwrap();
    assert_eq!(auth_revision(&mut client).await, before, "switching on keeps the revision");
    let root = token(&mut client, "root").await;
    client.auth.auth_enable(with(&root, AuthEnableRequest {})).await.unwrap();
    refused(get(&mut client, "", "a").await, Code::InvalidArgument, "etcdserver: user name is empty");
    client.auth.auth_disable(with(&root, AuthDisableRequest {})).await.unwrap();
    assert_eq!(auth_revision(&mut client).await, before + 1);
    assert_eq!(get(&mut client, &root, "a").await.unwrap().count, 0, "an old token does no harm");
    client.auth.auth_disable(AuthDisableRequest {}).await.unwrap();
    assert_eq!(auth_revision(&mut client).await, before + 1);
}

#[tokio::test]
async fn users_and_roles_are_kept_in_etcds_words() {
    let (_site, mut client) = site_with(CHEAP).await;
    assert_eq!(auth_revision(&mut client).await, 1);
    let mut auth = client.auth.clone();
    let add = |name: &str| AuthUserAddRequest { name: name.into(), password: "p".into(), ..Default::default() };
    refused(auth.user_add(add("")).await, Code::InvalidArgument, "etcdserver: user name is empty");
    auth.user_add(add("bob")).await.unwrap();
    auth.user_add(add("ann")).await.unwrap();
    refused(auth.user_add(add("ann")).await, Code::FailedPrecondition, "etcdserver: user name already exists");
    refused(
        auth.user_add(AuthUserAddRequest { name: "long".into(), password: "p".repeat(73), ..Default::default() }).await,
        Code::Unknown,
        "bcrypt: password length exceeds 72 bytes",
    );
    let role = |name: &str| AuthRoleAddRequest { name: name.into() };
    refused(auth.role_add(role("")).await, Code::InvalidArgument, "etcdserver: role name is empty");
    auth.role_add(role("reader")).await.unwrap();
    refused(auth.role_add(role("reader")).await, Code::FailedPrecondition, "etcdserver: role name already exists");
    let user = |name: &str| AuthUserGrantRoleRequest { user: name.into(), role: "reader".into() };
    refused(auth.user_grant_role(user("eve")).await, Code::FailedPrecondition, "etcdserver: user name not found");
    let ghost = AuthUserGrantRoleRequest { user: "ann".into(), role: "ghost".into() };
    refused(auth.user_grant_role(ghost).await, Code::FailedPrecondition, "etcdserver: role name not found");
    auth.user_grant_role(user("ann")).await.unwrap();
    let before = auth_revision(&mut client).await;
    auth.user_grant_role(user("ann")).await.unwrap();
    assert_eq!(auth_revision(&mut client).await, before, "granted already");
    let users = auth.user_list(AuthUserListRequest {}).await.unwrap().into_inner();
    assert_eq!(users.users, ["ann", "bob"]);
    assert_eq!(revision(users.header), 1, "accounts spend no revision of the store");
    assert_eq!(auth.role_list(AuthRoleListRequest {}).await.unwrap().into_inner().roles, ["reader"]);
    let roles = |name: &str| AuthUserGetRequest { name: name.into() };
    assert_eq!(auth.user_get(roles("ann")).await.unwrap().into_inner().roles, ["reader"]);
    refused(auth.user_get(roles("eve")).await, Code::FailedPrecondition, "etcdserver: user name not found");
    let revoke = |name: &str| AuthUserRevokeRoleRequest { name: name.into(), role: "reader".into() };
    refused(
        auth.user_revoke_role(revoke("bob")).await,
        Code::FailedPrecondition,
        "etcdserver: role is not granted to the user",
    );
    auth.role_delete(AuthRoleDeleteRequest { role: "reader".into() }).await.unwrap();
    assert!(auth.user_get(roles("ann")).await.unwrap().into_inner().roles.is_empty(), "a deleted role is nobody's");
    let gone = AuthRoleDeleteRequest { role: "reader".into() };
    refused(auth.role_delete(gone).await, Code::FailedPrecondition, "etcdserver: role name not found");
    auth.user_delete(AuthUserDeleteRequest { name: "bob".into() }).await.unwrap();
    let gone = AuthUserDeleteRequest { name: "bob".into() };
    refused(auth.user_delete(gone).await, Code::FailedPrecondition, "etcdserver: user name not found");
    let change = AuthUserChangePasswordRequest { name: "bob".into(), password: "q".into(), ..Default::default() };
    refused(auth.user_change_password(change).await, Code::FailedPrecondition, "etcdserver: user name not found");
}

#[tokio::test]
async fn permissions_are_granted_replaced_and_revoked() {
    let (_site, mut client) = site_with(CHEAP).await;
    let mut auth = client.auth.clone();
    auth.role_add(AuthRoleAddRequest { name: "r".into() }).await.unwrap();
    let grant = |perm: Option<(&'static str, &'static str)>| AuthRoleGrantPermissionRequest {
        name: "r".into(),
        perm: perm.map(|(key, end)| Permission { perm_type: 0, key: key.into(), range_end: end.into() }),
    };
    refused(auth.role_grant_permission(grant(None)).await, Code::InvalidArgument, "etcdserver: permission not given");
    for (key, end) in [("", ""), ("", "\0"), ("b", "a"), ("a", "a")] {
        let outcome = auth.role_grant_permission(grant(Some((key, end)))).await;
        refused(outcome, Code::InvalidArgument, "etcdserver: invalid auth management");
    }
    let elsewhere = AuthRoleGrantPermissionRequest { name: "ghost".into(), ..grant(Some(("a", "b"))) };
    refused(auth.role_grant_permission(elsewhere).await, Code::FailedPrecondition, "etcdserver: role name not found");
    allow(&mut client, "", "r", Type::Read, "m", "\0").await;
    allow(&mut client, "", "r", Type::Write, "b", "d").await;
    allow(&mut client, "", "r", Type::Read, "a", "").await;
    allow(&mut client, "", "r", Type::Readwrite, "b", "d").await;
    let get = |name: &str| AuthRoleGetRequest { role: name.into() };
    let shown: Vec<_> = auth.role_get(get("r")).await.unwrap().into_inner().perm;
    let shown: Vec<_> = shown.iter().map(|p| (p.perm_type(), p.key.as_ref(), p.range_end.as_ref())).collect();
    let expected: [(Type, &[u8], &[u8]); 3] =
        [(Type::Read, b"a", b""), (Type::Readwrite, b"b", b"d"), (Type::Read, b"m", b"\0")];
    assert_eq!(shown, expected);
    refused(auth.role_get(get("root")).await, Code::FailedPrecondition, "etcdserver: role name not found");
    auth.role_add(AuthRoleAddRequest { name: "root".into() }).await.unwrap();
    let root = auth.role_get(get("root")).await.unwrap().into_inner().perm;
    assert_eq!(
        (root[0].perm_type(), root[0].key.as_ref(), root[0].range_end.as_ref()),
        (Type::Readwrite, &b""[..], &b"\0"[..])
    );
    let revoke = |key: &'static str, end: &'static str| AuthRoleRevokePermissionRequest {
        role: "r".into(),
        key: key.into(),
        range_end: end.into(),
    };
    auth.role_revoke_permission(revoke("b", "d")).await.unwrap();
    refused(
        auth.role_revoke_permission(revoke("b", "d")).await,
        Code::FailedPrecondition,
        "etcdserver: permission is not granted to the role",
    );
}

#[tokio::test]
async fn root_cannot_be_taken_away_while_accounts_are_asked_for() {
    let (_site, mut client) = site_with(CHEAP).await;
    let root = enable(&mut client).await;
    let mut auth = client.auth.clone();
    auth.role_add(with(&root, AuthRoleAddRequest { name: "root".into() })).await.unwrap();
    let forbidden = "etcdserver: invalid auth management";
    let user = AuthUserDeleteRequest { name: "root".into() };
    refused(auth.user_delete(with(&root, user)).await, Code::InvalidArgument, forbidden);
    let role = AuthRoleDeleteRequest { role: "root".into() };
    refused(auth.role_delete(with(&root, role)).await, Code::InvalidArgument, forbidden);
    let grant = AuthUserRevokeRoleRequest { name: "root".into(), role: "root".into() };
    refused(auth.user_revoke_role(with(&root, grant)).await, Code::InvalidArgument, forbidden);
}

#[tokio::test]
async fn passwords_and_users_end_with_their_tokens() {
    let (_site, mut client) = site_with(CHEAP).await;
    let root = enable(&mut client).await;
    client.auth.role_add(with(&root, AuthRoleAddRequest { name: "all".into() })).await.unwrap();
    allow(&mut client, &root, "all", Type::Read, "\0", "\0").await;
    add_user(&mut client, &root, "ann").await;
    grant(&mut client, &root, "ann", "all").await;
    let ann = token(&mut client, "ann").await;
    get(&mut client, &ann, "a").await.unwrap();
    // etcd's own clients say it with another key, or through a gateway.
    let mut request = Request::new(RangeRequest { key: "a".into(), ..RangeRequest::default() });
    request.metadata_mut().insert("authorization", format!("Bearer {ann}").parse().unwrap());
    client.kv.range(request).await.unwrap();
    let wrong = "etcdserver: authentication failed, invalid user ID or password";
    for (name, password) in [("ann", "x"), ("ann", ""), ("eve", "ann-password"), ("", "")] {
        refused(authenticate(&mut client, name, password).await, Code::InvalidArgument, wrong);
    }
    let change = AuthUserChangePasswordRequest { name: "ann".into(), password: "new".into(), ..Default::default() };
    client.auth.user_change_password(with(&root, change)).await.unwrap();
    let invalid = "etcdserver: invalid auth token";
    refused(get(&mut client, &ann, "a").await, Code::Unauthenticated, invalid);
    refused(authenticate(&mut client, "ann", "ann-password").await, Code::InvalidArgument, wrong);
    let ann = authenticate(&mut client, "ann", "new").await.unwrap();
    get(&mut client, &ann, "a").await.unwrap();
    let delete = AuthUserDeleteRequest { name: "ann".into() };
    client.auth.user_delete(with(&root, delete)).await.unwrap();
    refused(get(&mut client, &ann, "a").await, Code::Unauthenticated, invalid);
    // A hash of the client's, for the password "allmine"; an empty password closes the account.
    add_user(&mut client, &root, "ann").await;
    let hashed = "JDJhJDEwJFhhampRdk5odnZSdDVHU2VGazF4RmV5cVJyc3hraEJrVWlRZWcwZHQud1UxcUQ0YUZEY2dh";
    for (hashed, ok) in [(hashed, true), ("", false)] {
        let change = AuthUserChangePasswordRequest {
            name: "ann".into(),
            hashed_password: hashed.into(),
            ..AuthUserChangePasswordRequest::default()
        };
        client.auth.user_change_password(with(&root, change)).await.unwrap();
        assert_eq!(authenticate(&mut client, "ann", "allmine").await.is_ok(), ok);
    }
    refused(authenticate(&mut client, "ann", "").await, Code::InvalidArgument, wrong);
    let change =
        AuthUserChangePasswordRequest { name: "ann".into(), hashed_password: "%".into(), ..Default::default() };
    refused(
        client.auth.user_change_password(with(&root, change)).await,
        Code::Unknown,
        "auth: authentication failed, password was given for no password user",
    );
}

#[tokio::test]
async fn a_user_without_password_has_none() {
    let (_site, mut client) = site_with(CHEAP).await;
    let root = enable(&mut client).await;
    let options = Some(UserAddOptions { no_password: true });
    let user = AuthUserAddRequest { name: "cn".into(), password: "ignored".into(), options, ..Default::default() };
    client.auth.user_add(with(&root, user)).await.unwrap();
    for password in ["", "ignored"] {
        refused(
            authenticate(&mut client, "cn", password).await,
            Code::Unknown,
            "auth: authentication failed, password was given for no password user",
        );
    }
}

#[tokio::test]
async fn a_watch_is_permitted_when_it_is_created() {
    let (_site, mut client) = site_with(CHEAP).await;
    let root = enable(&mut client).await;
    client.auth.role_add(with(&root, AuthRoleAddRequest { name: "some".into() })).await.unwrap();
    allow(&mut client, &root, "some", Type::Read, "a", "b").await;
    add_user(&mut client, &root, "ann").await;
    grant(&mut client, &root, "ann", "some").await;
    let ann = token(&mut client, "ann").await;
    let watch = |key: &'static str, end: &'static str| WatchCreateRequest {
        key: key.into(),
        range_end: end.into(),
        ..WatchCreateRequest::default()
    };
    let denied = "rpc error: code = PermissionDenied desc = etcdserver: permission denied";
    for (token, reason) in [
        ("", "rpc error: code = InvalidArgument desc = etcdserver: user name is empty"),
        ("wrong.1", "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token"),
    ] {
        let mut stream = client.watch_stream_as(token).await.unwrap();
        let refused = stream.create(watch("a", "")).await;
        assert_eq!((refused.created, refused.canceled, refused.watch_id), (true, true, -1));
        assert_eq!(refused.cancel_reason, reason);
    }
    let mut stream = client.watch_stream_as(&ann).await.unwrap();
    for (key, end) in [("b", ""), ("a", "c"), ("a", "\0"), ("", ""), ("\0", "\0"), ("", "\0"), ("a", "b\0")] {
        let refused = stream.create(watch(key, end)).await;
        assert_eq!((refused.watch_id, refused.cancel_reason.as_str()), (-1, denied), "{key:?} {end:?}");
    }
    assert!(!stream.create(watch("a", "b")).await.canceled);
    // What was permitted goes on: the permission is looked at once, as in etcd.
    let revoke = AuthUserRevokeRoleRequest { name: "ann".into(), role: "some".into() };
    client.auth.user_revoke_role(with(&root, revoke)).await.unwrap();
    let put = PutRequest { key: "a1".into(), ..PutRequest::default() };
    client.kv.put(with(&root, put)).await.unwrap();
    assert_eq!(stream.next().await.events.len(), 1);
    assert_eq!(stream.create(watch("a", "b")).await.cancel_reason, denied);
}

#[tokio::test]
async fn accounts_survive_a_restart_and_simple_tokens_do_not() {
    let (mut site, mut client) = site_with(CHEAP).await;
    let root = enable(&mut client).await;
    client.auth.role_add(with(&root, AuthRoleAddRequest { name: "some".into() })).await.unwrap();
    allow(&mut client, &root, "some", Type::Readwrite, "a", "b").await;
    add_user(&mut client, &root, "ann").await;
    grant(&mut client, &root, "ann", "some").await;
    add_user(&mut client, &root, "gone").await;
    client.auth.user_delete(with(&root, AuthUserDeleteRequest { name: "gone".into() })).await.unwrap();
    let status = client.auth.auth_status(AuthStatusRequest {}).await.unwrap().into_inner();
    site.kill().unwrap();
    site.launch().unwrap();
    let mut client = Client::connect(site.url()).await.unwrap();
    let after = client.auth.auth_status(AuthStatusRequest {}).await.unwrap().into_inner();
    assert_eq!((after.enabled, after.auth_revision), (true, status.auth_revision));
    assert_eq!(revision(after.header), 1);
    refused(get(&mut client, "gone.1", "a").await, Code::Unauthenticated, "etcdserver: invalid auth token");
    let ann = token(&mut client, "ann").await;
    get(&mut client, &ann, "a").await.unwrap();
    refused(get(&mut client, &ann, "b").await, Code::PermissionDenied, "etcdserver: permission denied");
    let root = token(&mut client, "root").await;
    let users = client.auth.user_list(with(&root, AuthUserListRequest {})).await.unwrap().into_inner().users;
    assert_eq!(users, ["ann", "root"]);
}

#[tokio::test]
async fn a_site_without_accounts_asks_nobody() {
    let (_site, mut client) = site().await;
    get(&mut client, "wrong.1", "a").await.unwrap();
    let mut stream = client.watch_stream_as("wrong.1").await.unwrap();
    assert!(!stream.create(WatchCreateRequest { key: "a".into(), ..WatchCreateRequest::default() }).await.canceled);
}
