//! Range, Put, DeleteRange, Txn, Compact as etcd does them.

use crate::common::{Site, bytes, delete, dump, put, put_request, range_request, run, show};
use archipel_store::Store;
use archipel_store::error::RequestError;
use archipel_store::mvcc::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyValue, Op, OpReply, PutRequest, RangeRequest,
    SortOrder, SortTarget, TxnReply, TxnRequest,
};

#[test]
fn revisions_count_changes_and_nothing_else() {
    let store = Site::new(1).open();
    assert_eq!((store.revision(), store.compact_revision()), (1, -1));
    assert_eq!(put(&store, "a", "1"), 2);
    assert_eq!(put(&store, "a", "2"), 3);
    assert_eq!(put(&store, "b", "1"), 4);
    assert_eq!(delete(&store, "nothing"), 4);
    assert_eq!(delete(&store, "a"), 5);
    assert_eq!(put(&store, "a", "3"), 6);
    assert_eq!(dump(&store, 0), ["a=3@6/6/1", "b=1@4/4/1"]);
    assert_eq!(dump(&store, 3), ["a=2@3/2/2"]);
    assert_eq!(dump(&store, 5), ["b=1@4/4/1"]);
    assert_eq!(dump(&store, 1), [""; 0]);
    assert_eq!(store.range(&RangeRequest { revision: 4, ..range_request("a", "") }).unwrap().0, 6);
}

#[test]
fn puts_keep_and_return_what_they_are_asked_to() {
    let store = Site::new(1).open();
    let try_put = |request: PutRequest| run(store.put(request));
    let keep_value = PutRequest { ignore_value: true, ..put_request("a", "") };
    let keep_lease = PutRequest { ignore_lease: true, ..put_request("a", "3") };
    assert_eq!(try_put(keep_value.clone()), Err(RequestError::KeyNotFound));
    assert_eq!(try_put(keep_lease.clone()), Err(RequestError::KeyNotFound));
    assert_eq!(try_put(put_request("", "1")), Err(RequestError::EmptyKey));
    assert_eq!(try_put(PutRequest { lease: 7, ..put_request("a", "1") }), Err(RequestError::LeaseNotFound));
    assert_eq!(store.revision(), 1, "a refused request changes nothing");
    run(store.lease_grant(7, 60)).unwrap();
    try_put(PutRequest { lease: 7, ..put_request("a", "1") }).unwrap();
    let (revision, reply) = try_put(PutRequest { prev_kv: true, ..keep_lease }).unwrap();
    assert_eq!((revision, reply.prev_kv.as_ref().map(show)), (3, Some("a=1@2/2/1".into())));
    let kv = store.view().get(b"a").unwrap().unwrap();
    assert_eq!(KeyValue::decode(&kv).unwrap().lease, 7);
    try_put(keep_value).unwrap();
    let kv = store.view().get(b"a").unwrap().unwrap();
    assert_eq!((show(&kv), KeyValue::decode(&kv).unwrap().lease), ("a=3@4/2/3".into(), 0));
}

#[test]
fn range_limits_counts_filters_and_sorts() {
    let store = Site::new(1).open();
    for key in ["a", "b", "c", "d", "e"] {
        put(&store, key, "x");
    }
    put(&store, "b", "0");
    delete(&store, "d");
    let ask = |request: RangeRequest| {
        let (_, reply) = store.range(&request).unwrap();
        let keys: String = reply.kvs.iter().map(|kv| KeyValue::decode(kv).unwrap().key[0] as char).collect();
        (keys, reply.more, reply.count)
    };
    let all = range_request("a", "z");
    let told = |keys: &str, more, count| (keys.to_owned(), more, count);
    assert_eq!(ask(all.clone()), told("abce", false, 4));
    assert_eq!(ask(RangeRequest { limit: 2, ..all.clone() }), told("ab", true, 4));
    assert_eq!(ask(RangeRequest { limit: 4, ..all.clone() }), told("abce", false, 4));
    assert_eq!(ask(RangeRequest { limit: 2, revision: 6, ..all.clone() }), told("ab", true, 5));
    assert_eq!(ask(RangeRequest { limit: 2, revision: 3, ..all.clone() }), told("ab", false, 2));
    assert_eq!(ask(RangeRequest { count_only: true, limit: 1, ..all.clone() }), told("", false, 4));
    assert_eq!(ask(RangeRequest { min_mod_revision: 5, ..all.clone() }), told("be", false, 4));
    assert_eq!(ask(RangeRequest { max_create_revision: 3, limit: 1, ..all.clone() }), told("a", true, 4));
    assert_eq!(ask(range_request("b", "a")), told("", false, 0));
    assert_eq!(ask(range_request("b", "b")), told("", false, 0));
    assert_eq!(ask(range_request("b", "\0")), told("bce", false, 3));
    let sorted = |sort_target, sort_order| RangeRequest { sort_target, sort_order, limit: 2, ..all.clone() };
    assert_eq!(ask(sorted(SortTarget::Key, SortOrder::Descend)), told("ec", true, 4));
    assert_eq!(ask(sorted(SortTarget::Mod, SortOrder::Descend)), told("be", true, 4));
    assert_eq!(ask(sorted(SortTarget::Value, SortOrder::None)), told("ba", true, 4));
    assert_eq!(ask(sorted(SortTarget::Version, SortOrder::Descend)), told("ba", true, 4));
    assert_eq!(ask(sorted(SortTarget::Create, SortOrder::Ascend)), told("ab", true, 4));
    let (_, reply) = store.range(&RangeRequest { keys_only: true, ..range_request("b", "") }).unwrap();
    assert_eq!(show(&reply.kvs[0]), "b=@7/3/2");
    let refused = |request: RangeRequest| store.range(&request).unwrap_err();
    assert_eq!(refused(range_request("", "z")), RequestError::EmptyKey);
    assert_eq!(
        refused(RangeRequest { revision: 9, ..all.clone() }),
        RequestError::FutureRevision { current_revision: 8 }
    );
}

fn compare(key: &str, result: CompareResult, target: CompareTarget) -> Compare {
    Compare { key: bytes(key), range_end: bytes(""), result, target }
}

fn op_put(key: &str, value: &str) -> Op {
    Op::Put(put_request(key, value))
}

fn txn(store: &Store, request: TxnRequest) -> Result<(i64, TxnReply), RequestError> {
    run(store.txn(request))
}

/// Which branch runs, by comparison: the store holds k (value "m", create 2, mod 3, version 2, lease 0) and l.
#[test]
fn comparisons() {
    use CompareResult::{Equal, Greater, Less, NotEqual};
    use CompareTarget::{Create, Lease, Mod, Value, Version};
    let store = Site::new(1).open();
    put(&store, "k", "first");
    put(&store, "k", "m");
    put(&store, "l", "m");
    let value = |text| Value(bytes(text));
    let cases = [
        ("k", "", Equal, Version(2), true),
        ("k", "", Equal, Create(2), true),
        ("k", "", Equal, Mod(3), true),
        ("k", "", Equal, Lease(0), true),
        ("k", "", Greater, Mod(2), true),
        ("k", "", Greater, Mod(3), false),
        ("k", "", Less, Mod(4), true),
        ("k", "", NotEqual, Mod(3), false),
        ("k", "", Equal, value("m"), true),
        ("k", "", Greater, value("l"), true),
        ("k", "", Less, value("l"), false),
        ("absent", "", Equal, Mod(0), true),
        ("absent", "", Equal, Version(0), true),
        ("absent", "", Less, Create(1), true),
        ("absent", "", Equal, value(""), false),
        ("absent", "", NotEqual, value("x"), false),
        ("k", "z", Equal, value("m"), true),
        ("k", "z", Equal, Version(2), false),
        ("k", "z", Greater, Mod(2), true),
        ("p", "z", Equal, Mod(0), true),
        ("p", "z", NotEqual, value("x"), false),
        ("a", "\0", Less, Version(3), true),
    ];
    for (key, end, result, target, expected) in cases {
        let compare = Compare { range_end: bytes(end), ..compare(key, result, target) };
        let (_, reply) = txn(&store, TxnRequest { compare: vec![compare.clone()], ..TxnRequest::default() }).unwrap();
        assert_eq!(reply.succeeded, expected, "{compare:?}");
    }
    assert_eq!(store.revision(), 4, "nothing was written");
}

#[test]
fn a_txn_is_one_revision_and_sees_its_own_writes() {
    let store = Site::new(1).open();
    put(&store, "a", "1");
    let all = || Op::Range(range_request("a", "z"));
    let success = vec![
        all(),
        op_put("b", "2"),
        all(),
        Op::DeleteRange(DeleteRangeRequest { key: bytes("a"), range_end: bytes(""), prev_kv: true }),
        all(),
        Op::Txn(TxnRequest {
            // Nested comparisons are evaluated before anything runs, too: b does not exist yet.
            compare: vec![compare("b", CompareResult::Equal, CompareTarget::Version(0))],
            success: vec![op_put("c", "3"), all()],
            failure: vec![op_put("wrong", "x")],
        }),
    ];
    let (revision, reply) = txn(&store, TxnRequest { success, ..TxnRequest::default() }).unwrap();
    let shown: Vec<String> =
        reply.replies.iter().map(|(revision, reply)| format!("{revision}: {}", say(reply))).collect();
    assert_eq!((revision, reply.succeeded), (3, true));
    let expected = [
        "2: [a=1@2/2/1]",
        "3: put",
        "3: [a=1@2/2/1 b=2@3/3/1]",
        "3: deleted [a=1@2/2/1]",
        "3: [b=2@3/3/1]",
        "3: true (3: put; 3: [b=2@3/3/1 c=3@3/3/1])",
    ];
    assert_eq!(shown, expected);
    assert_eq!(dump(&store, 0), ["b=2@3/3/1", "c=3@3/3/1"]);
}

fn say(reply: &OpReply) -> String {
    let list = |kvs: &[bytes::Bytes]| format!("[{}]", kvs.iter().map(show).collect::<Vec<_>>().join(" "));
    match reply {
        OpReply::Range(reply) => list(&reply.kvs),
        OpReply::Put(_) => "put".into(),
        OpReply::DeleteRange(reply) => format!("deleted {}", list(&reply.prev_kvs)),
        OpReply::Txn(reply) => {
            let inner: Vec<_> =
                reply.replies.iter().map(|(revision, reply)| format!("{revision}: {}", say(reply))).collect();
            format!("{} ({})", reply.succeeded, inner.join("; "))
        }
    }
}

/// What makes a part of a Txn fail must fail all of it, before anything is applied.
#[test]
fn a_refused_txn_changes_nothing() {
    let store = Site::new(1).open();
    put(&store, "a", "1");
    put(&store, "a", "2");
    run(store.compact(3, true)).unwrap();
    let at = |revision| Op::Range(RangeRequest { revision, ..range_request("a", "") });
    let leased = Op::Put(PutRequest { lease: 99, ..put_request("x", "1") });
    let keep = Op::Put(PutRequest { ignore_value: true, ..put_request("x", "") });
    let nested = |op: Op| Op::Txn(TxnRequest { success: vec![op], ..TxnRequest::default() });
    let cases = [
        (at(2), RequestError::Compacted { compact_revision: 3 }),
        (at(4), RequestError::FutureRevision { current_revision: 3 }),
        (leased.clone(), RequestError::LeaseNotFound),
        (nested(leased), RequestError::LeaseNotFound),
        (nested(at(2)), RequestError::Compacted { compact_revision: 3 }),
        (keep, RequestError::KeyNotFound),
        (op_put("", "1"), RequestError::EmptyKey),
    ];
    for (op, expected) in cases {
        let taken = TxnRequest { success: vec![op_put("b", "1"), op.clone()], ..TxnRequest::default() };
        assert_eq!(txn(&store, taken).unwrap_err(), expected, "{op:?}");
        let not_taken = TxnRequest { failure: vec![op_put("b", "1"), op.clone()], ..TxnRequest::default() };
        assert!(txn(&store, not_taken).is_ok(), "the branch that does not run is not checked");
    }
    assert_eq!((store.revision(), dump(&store, 0)), (3, vec!["a=2@3/2/2".to_owned()]));
}

/// A look-alike hid live keys whose last write was older than the compact revision.
#[test]
fn compaction_keeps_old_live_keys() {
    let site = Site::new(1);
    let store = site.open();
    put(&store, "old", "1"); // 2
    put(&store, "hot", "1"); // 3
    put(&store, "gone", "1"); // 4
    delete(&store, "gone"); // 5
    put(&store, "hot", "2"); // 6
    put(&store, "hot", "3"); // 7
    assert_eq!(run(store.compact(6, true)), Ok(7));
    assert_eq!(store.compact_revision(), 6);
    assert_eq!(dump(&store, 0), ["hot=3@7/3/3", "old=1@2/2/1"]);
    assert_eq!(dump(&store, 6), ["hot=2@6/3/2", "old=1@2/2/1"]);
    let read = |revision| store.range(&RangeRequest { revision, ..range_request("old", "") });
    assert_eq!(read(5).unwrap_err(), RequestError::Compacted { compact_revision: 6 });
    assert_eq!(run(store.compact(6, false)), Err(RequestError::Compacted { compact_revision: 6 }));
    assert_eq!(run(store.compact(8, false)), Err(RequestError::FutureRevision { current_revision: 7 }));
    assert_eq!(run(store.compact(7, true)), Ok(7));
    assert_eq!(dump(&store, 0), ["hot=3@7/3/3", "old=1@2/2/1"]);
    let in_use = store.size().in_use_bytes;
    for _ in 0..50 {
        put(&store, "hot", "3");
    }
    assert!(store.size().in_use_bytes > in_use + 50 * 60);
    run(store.compact(store.revision(), true)).unwrap();
    put(&store, "hot", "3");
    run(store.compact(store.revision(), true)).unwrap();
    put(&store, "another", "");
    assert!(store.size().in_use_bytes < in_use + 200, "superseded versions are gone");
}

/// Many clients at once create the same keys: each key has one winner, and the revisions are without gaps.
#[test]
fn one_create_wins() {
    let store = Site::new(1).open();
    let winners: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|client| {
                let store = store.clone();
                scope.spawn(move || {
                    let create = |key: &str| TxnRequest {
                        compare: vec![compare(key, CompareResult::Equal, CompareTarget::Mod(0))],
                        success: vec![op_put(key, &client.to_string())],
                        failure: vec![Op::Range(range_request(key, ""))],
                    };
                    (0..50).filter(|at| txn(&store, create(&format!("k{at}"))).unwrap().1.succeeded).count()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((winners, store.revision()), (50, 51));
}

/// What could go wrong: a permission is revoked while a write waits for its turn, and the write lands all the same.
#[test]
fn a_write_whose_permission_is_gone_when_it_has_its_turn_does_nothing() {
    let store = Site::new(1).open();
    let put = PutRequest { key: bytes("a"), value: bytes("1"), ..PutRequest::default() };
    let delete = DeleteRangeRequest { key: bytes("a"), ..DeleteRangeRequest::default() };
    let writes = TxnRequest { success: vec![Op::Put(put.clone())], ..TxnRequest::default() };
    run(store.only_if(|| true).put(put.clone())).unwrap();
    let before = store.revision();
    assert_eq!(run(store.only_if(|| false).put(put)), Err(RequestError::Overtaken));
    assert_eq!(run(store.only_if(|| false).delete_range(delete)), Err(RequestError::Overtaken));
    assert_eq!(run(store.only_if(|| false).txn(writes)), Err(RequestError::Overtaken));
    assert_eq!(run(store.only_if(|| false).txn(TxnRequest::default())), Err(RequestError::Overtaken));
    assert_eq!(store.revision(), before);
}
