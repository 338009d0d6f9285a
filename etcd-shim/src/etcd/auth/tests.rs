//! Decisions and changes without a server.

use super::{
    account::{Accounts, Hash},
    authorize::{Caller, Decision, Leases},
    change::Change,
    operation::Operation,
    rows,
};
use crate::etcd::{
    status::EtcdError,
    wire::{
        Compare, DeleteRangeRequest, Permission, PutRequest, RangeRequest, RequestOp, TxnRequest, WatchCreateRequest,
        permission::Type, request_op::Request,
    },
};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Lease 1 holds a key that ann may write, lease 2 one that she may only read, lease 3 one of somebody else's.
struct Some3;

impl Leases for Some3 {
    fn keys(&self, lease: i64) -> Vec<Bytes> {
        let key = match lease {
            1 => "w1",
            2 => "r1",
            3 => "x1",
            _ => return Vec::new(),
        };
        vec![key.into()]
    }

    fn all_keys(&self) -> Vec<Bytes> {
        (1..=3).flat_map(|lease| self.keys(lease)).collect()
    }
}

fn permission(kind: Type, key: &'static str, end: &'static str) -> Option<Permission> {
    Some(Permission { perm_type: kind.into(), key: key.into(), range_end: end.into() })
}

fn changed(accounts: &Accounts, changes: Vec<Change>) -> Accounts {
    changes.into_iter().fold(accounts.clone(), |accounts, change| accounts.after(change).unwrap())
}

/// Ann reads [r, s) and [b, c), writes [w, x) and [b, c). Root has its role; bob has nothing.
fn accounts() -> Accounts {
    let user = |name: &str| Change::AddUser { name: name.into(), password: Hash::default(), options: None };
    let grant = |user: &str, role: &str| Change::GrantRole { user: user.into(), role: role.into() };
    let permit = |permission| Change::GrantPermission { role: "some".into(), permission };
    let changes = vec![
        user("root"),
        user("ann"),
        user("bob"),
        Change::AddRole { name: "some".into() },
        permit(permission(Type::Read, "r", "s")),
        permit(permission(Type::Write, "w", "x")),
        permit(permission(Type::Readwrite, "b", "c")),
        grant("ann", "some"),
        grant("root", "root"),
        Change::Enable,
    ];
    changed(&Accounts::default(), changes)
}

fn decide(accounts: &Accounts, user: Option<&str>, operation: Operation<'_>) -> Result<(), EtcdError> {
    let caller = user.map(|user| Caller { user: user.into(), revision: accounts.revision });
    Decision { accounts, caller: caller.as_ref(), leases: &Some3 }.authorize(operation)
}

fn range(key: &'static str, end: &'static str) -> RangeRequest {
    RangeRequest { key: key.into(), range_end: end.into(), ..RangeRequest::default() }
}

fn delete(key: &'static str, end: &'static str, prev_kv: bool) -> DeleteRangeRequest {
    DeleteRangeRequest { key: key.into(), range_end: end.into(), prev_kv }
}

fn put(key: &'static str, lease: i64, prev_kv: bool) -> PutRequest {
    PutRequest { key: key.into(), lease, prev_kv, ..PutRequest::default() }
}

/// Single operations, and whether ann may do them.
fn singles() -> Vec<(Request, bool)> {
    vec![
        (Request::RequestRange(range("r", "")), true),
        (Request::RequestRange(range("r", "s")), true),
        (Request::RequestRange(range("r", "s\0")), false),
        (Request::RequestRange(range("r", "\0")), false),
        (Request::RequestRange(range("w", "")), false),
        (Request::RequestRange(range("\0", "\0")), false),
        (Request::RequestPut(put("w", 0, false)), true),
        (Request::RequestPut(put("w", 0, true)), false),
        (Request::RequestPut(put("b", 0, true)), true),
        (Request::RequestPut(put("r", 0, false)), false),
        (Request::RequestPut(put("x", 0, false)), false),
        (Request::RequestPut(put("w", 1, false)), true),
        (Request::RequestPut(put("w", 2, false)), false),
        (Request::RequestPut(put("w", 3, false)), false),
        (Request::RequestPut(put("w", 4, false)), true),
        (Request::RequestDeleteRange(delete("w", "x", false)), true),
        (Request::RequestDeleteRange(delete("w", "x", true)), false),
        (Request::RequestDeleteRange(delete("b", "c", true)), true),
        (Request::RequestDeleteRange(delete("w", "\0", false)), false),
        (Request::RequestDeleteRange(delete("r", "", false)), false),
    ]
}

fn expected(permitted: bool) -> Result<(), EtcdError> {
    if permitted { Ok(()) } else { Err(EtcdError::PermissionDenied) }
}

#[test]
fn every_operation_is_looked_at_in_every_place_of_a_transaction() {
    let accounts = accounts();
    for (op, permitted) in singles() {
        let single = match &op {
            Request::RequestRange(range) => Operation::Range(range),
            Request::RequestPut(put) => Operation::Put(put),
            Request::RequestDeleteRange(delete) => Operation::DeleteRange(delete),
            Request::RequestTxn(txn) => Operation::Txn(txn),
        };
        assert_eq!(decide(&accounts, Some("ann"), single), expected(permitted), "{op:?}");
        let mut nested = vec![RequestOp { request: Some(op.clone()) }];
        for depth in 0..4 {
            for then in [true, false] {
                // Beside an operation that is permitted, in either branch.
                let harmless = vec![RequestOp { request: Some(Request::RequestRange(range("r", ""))) }];
                let (success, failure) = if then { (nested.clone(), harmless) } else { (harmless, nested.clone()) };
                let txn = TxnRequest { compare: vec![], success, failure };
                let what = Operation::Txn(&txn);
                assert_eq!(decide(&accounts, Some("ann"), what), expected(permitted), "{depth} {then} {op:?}");
                assert_eq!(decide(&accounts, Some("root"), what), Ok(()));
                assert_eq!(decide(&accounts, Some("bob"), what), Err(EtcdError::PermissionDenied));
                assert_eq!(decide(&accounts, Some("eve"), what), Err(EtcdError::PermissionDenied));
                assert_eq!(decide(&accounts, None, what), Err(EtcdError::UserEmpty));
                if !then {
                    nested = vec![RequestOp { request: Some(Request::RequestTxn(txn)) }];
                }
            }
        }
    }
}

#[test]
fn a_compare_reads() {
    let accounts = accounts();
    for (key, end, permitted) in [("r", "", true), ("r", "s", true), ("w", "", false), ("r", "\0", false)] {
        let compare = Compare { key: key.into(), range_end: end.into(), ..Compare::default() };
        let inner = TxnRequest { compare: vec![compare], ..TxnRequest::default() };
        assert_eq!(decide(&accounts, Some("ann"), Operation::Txn(&inner)), expected(permitted));
        let op = RequestOp { request: Some(Request::RequestTxn(inner)) };
        let outer = TxnRequest { failure: vec![op], ..TxnRequest::default() };
        assert_eq!(decide(&accounts, Some("ann"), Operation::Txn(&outer)), expected(permitted));
    }
}

#[test]
fn watches_and_leases() {
    let accounts = accounts();
    let ann = |operation: Operation<'_>| decide(&accounts, Some("ann"), operation);
    for (key, end, permitted) in
        [("r", "s", true), ("r", "", true), ("", "", false), ("", "\0", false), ("r", "t", false)]
    {
        let watch = WatchCreateRequest { key: key.into(), range_end: end.into(), ..WatchCreateRequest::default() };
        assert_eq!(ann(Operation::Watch(&watch)), expected(permitted), "{key:?} {end:?}");
    }
    for (id, writes, reads) in [(1, true, false), (2, false, true), (3, false, false), (4, true, true)] {
        assert_eq!(ann(Operation::LeaseRevoke { id }), expected(writes), "{id}");
        assert_eq!(ann(Operation::LeaseKeepAlive { id }), expected(writes), "{id}");
        assert_eq!(ann(Operation::LeaseTimeToLive { id, keys: true }), expected(reads), "{id}");
        assert_eq!(ann(Operation::LeaseTimeToLive { id, keys: false }), Ok(()), "{id}");
        assert_eq!(decide(&accounts, Some("root"), Operation::LeaseRevoke { id }), Ok(()));
    }
    assert_eq!(ann(Operation::LeaseLeases), Err(EtcdError::PermissionDenied));
}

#[test]
fn old_credentials_are_refused_and_nobody_is_nobody() {
    let accounts = accounts();
    let read = range("r", "");
    let at = |user: &str, revision| {
        let caller = Caller { user: user.into(), revision };
        let of =
            |operation| Decision { accounts: &accounts, caller: Some(&caller), leases: &Some3 }.authorize(operation);
        (of(Operation::Range(&read)), of(Operation::Compact))
    };
    assert_eq!(at("ann", accounts.revision).0, Ok(()));
    assert_eq!(at("ann", accounts.revision - 1).0, Err(EtcdError::AuthOldRevision));
    assert_eq!(at("ann", 0).0, Err(EtcdError::UserEmpty));
    assert_eq!(at("root", accounts.revision - 1), (Err(EtcdError::AuthOldRevision), Ok(())));
    assert_eq!(at("eve", accounts.revision).1, Err(EtcdError::UserNotFound));
    assert_eq!(at("", accounts.revision).1, Err(EtcdError::UserEmpty));
    assert_eq!(at("bob", accounts.revision).1, Err(EtcdError::PermissionDenied));
    let off = accounts.after(Change::Disable).unwrap();
    assert_eq!(decide(&off, None, Operation::Compact), Ok(()));
}

#[test]
fn a_permission_counts_as_long_as_somebody_holds_it() {
    let before = accounts();
    let read = range("r", "");
    let ann = |accounts: &Accounts| decide(accounts, Some("ann"), Operation::Range(&read));
    let revoke = Change::RevokePermission { role: "some".into(), key: "r".into(), range_end: "s".into() };
    assert_eq!(ann(&changed(&before, vec![revoke])), Err(EtcdError::PermissionDenied));
    let revoke = Change::RevokeRole { user: "ann".into(), role: "some".into() };
    assert_eq!(ann(&changed(&before, vec![revoke])), Err(EtcdError::PermissionDenied));
    let delete = Change::DeleteRole { name: "some".into() };
    let gone = changed(&before, vec![delete]);
    assert_eq!(ann(&gone), Err(EtcdError::PermissionDenied));
    // A new role of the same name is another one.
    let again = changed(&gone, vec![Change::AddRole { name: "some".into() }]);
    assert_eq!(ann(&again), Err(EtcdError::PermissionDenied));
    // The kind of a permission is replaced, not added.
    let weaker = Change::GrantPermission { role: "some".into(), permission: permission(Type::Write, "r", "s") };
    let weaker = changed(&before, vec![weaker]);
    assert_eq!(ann(&weaker), Err(EtcdError::PermissionDenied));
    // Also where the key has another permission, which etcd's search does not see.
    let single = Change::GrantPermission { role: "some".into(), permission: permission(Type::Write, "r", "") };
    let weaker = Change::GrantPermission { role: "some".into(), permission: permission(Type::Write, "r", "s") };
    assert_eq!(ann(&changed(&before, vec![single, weaker])), Err(EtcdError::PermissionDenied));
}

/// Rows as a table keeps them.
fn write(table: &mut BTreeMap<Bytes, Bytes>, old: &Accounts, new: &Accounts) -> usize {
    let writes = rows::difference(old, new);
    let count = writes.len();
    for (key, value) in writes {
        match value {
            Some(value) => drop(table.insert(key, value)),
            None => drop(table.remove(&key)),
        }
    }
    count
}

#[test]
fn accounts_read_back_after_every_change() {
    let mut table = BTreeMap::new();
    let mut now = accounts();
    write(&mut table, &Accounts::default(), &now);
    let read = |table: &BTreeMap<Bytes, Bytes>| {
        rows::load(&table.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(read(&table), now);
    let password = Some(Hash(Bytes::from_static(b"hash")));
    let changes = [
        (Change::Password { name: "bob".into(), password }, 2),
        (Change::DeleteUser { name: "bob".into() }, 2),
        (Change::GrantPermission { role: "some".into(), permission: permission(Type::Read, "z", "\0") }, 2),
        (Change::DeleteRole { name: "some".into() }, 3),
        (Change::Enable, 0),
        (Change::Disable, 1),
        (Change::Disable, 0),
    ];
    for (change, rows) in changes {
        let next = now.after(change.clone()).unwrap();
        assert_eq!(write(&mut table, &now, &next), rows, "{change:?}");
        assert_eq!(read(&table), next, "{change:?}");
        now = next;
    }
    let damaged = [(Bytes::from_static(b"uann"), Bytes::from_static(&[0xff]))];
    assert_eq!(rows::load(&damaged), Err("uann".to_owned()));
}
