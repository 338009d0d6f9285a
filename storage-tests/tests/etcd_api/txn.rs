//! Transactions: every compare target and relation, ranges, nesting, headers.

use super::site;
use archipel_storage_tests::client::{
    Client, delete_op, kv, put_op, range_op, revision,
    wire::{
        Compare, PutRequest, RequestOp, TxnRequest, TxnResponse,
        compare::{CompareResult, CompareTarget, TargetUnion},
        request_op::Request,
        response_op::Response,
    },
};

fn compare(key: &str, result: CompareResult, target: CompareTarget, operand: TargetUnion) -> Compare {
    Compare {
        key: key.as_bytes().to_vec().into(),
        result: result.into(),
        target: target.into(),
        target_union: Some(operand),
        ..Compare::default()
    }
}

async fn holds(client: &mut Client, compare: Compare) -> bool {
    client.txn(vec![compare], vec![], vec![]).await.unwrap().succeeded
}

#[tokio::test]
async fn every_target_and_relation() {
    let (_site, mut client) = site().await;
    client.put("a", "m").await.unwrap();
    client.put("a", "m").await.unwrap();
    use CompareResult::{Equal, Greater, Less, NotEqual};
    type Operand = fn(i64) -> TargetUnion;
    let numbers: &[(CompareTarget, Operand, i64)] = &[
        (CompareTarget::Version, TargetUnion::Version, 2),
        (CompareTarget::Create, TargetUnion::CreateRevision, 2),
        (CompareTarget::Mod, TargetUnion::ModRevision, 3),
        (CompareTarget::Lease, TargetUnion::Lease, 0),
    ];
    for (target, operand, is) in numbers {
        for (result, other, expected) in [
            (Equal, 0, true),
            (Equal, 1, false),
            (NotEqual, 0, false),
            (NotEqual, 1, true),
            (Greater, -1, true),
            (Greater, 0, false),
            (Less, 1, true),
            (Less, 0, false),
        ] {
            let found = holds(&mut client, compare("a", result, *target, operand(is + other))).await;
            assert_eq!(found, expected, "{target:?} {result:?} {other}");
        }
        assert!(holds(&mut client, compare("absent", Equal, *target, operand(0))).await, "an absent key counts as 0");
    }
    let value = |text: &str| TargetUnion::Value(text.as_bytes().to_vec().into());
    for (result, text, expected) in
        [(Equal, "m", true), (Less, "z", true), (Greater, "a", true), (NotEqual, "m", false)]
    {
        assert_eq!(holds(&mut client, compare("a", result, CompareTarget::Value, value(text))).await, expected);
    }
    for result in [Equal, NotEqual, Less, Greater] {
        let absent = compare("absent", result, CompareTarget::Value, value("x"));
        assert!(!holds(&mut client, absent).await, "a value of an absent key compares with nothing");
    }
}

#[tokio::test]
async fn a_compared_range_must_hold_for_every_key() {
    let (_site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    client.put("b", "1").await.unwrap();
    client.put("b", "1").await.unwrap();
    let over = |version| Compare {
        range_end: "c".into(),
        ..compare("a", CompareResult::Less, CompareTarget::Version, TargetUnion::Version(version))
    };
    assert!(holds(&mut client, over(3)).await);
    assert!(!holds(&mut client, over(2)).await);
}

fn responses(reply: &TxnResponse) -> Vec<&Response> {
    reply.responses.iter().map(|response| response.response.as_ref().unwrap()).collect()
}

#[tokio::test]
async fn operations_see_earlier_ones_and_inner_headers_hold_the_revision_only() {
    let (_site, mut client) = site().await;
    client.put("gone", "1").await.unwrap();
    let reply = client
        .txn(vec![], vec![range_op("a"), put_op("a", "1"), range_op("a"), delete_op("gone")], vec![])
        .await
        .unwrap();
    let header = reply.header.unwrap();
    assert_eq!(header.revision, 3);
    assert!(header.cluster_id != 0);
    let replies = responses(&reply);
    let [
        Response::ResponseRange(before),
        Response::ResponsePut(put),
        Response::ResponseRange(after),
        Response::ResponseDeleteRange(delete),
    ] = replies[..]
    else {
        panic!("one reply an operation, in order: {replies:?}");
    };
    assert_eq!((before.count, after.count, delete.deleted), (0, 1, 1));
    assert_eq!(kv(&after.kvs[0]).mod_revision, 3);
    let inner = put.header.unwrap();
    assert_eq!((inner.cluster_id, inner.member_id, inner.raft_term, inner.revision), (0, 0, 0, 3));
    assert_eq!(revision(after.header), 3);
}

#[tokio::test]
async fn a_failed_compare_runs_the_other_branch_and_reading_takes_no_revision() {
    let (_site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    let absent = compare("a", CompareResult::Equal, CompareTarget::Mod, TargetUnion::ModRevision(0));
    let reply = client.txn(vec![absent], vec![put_op("a", "2")], vec![range_op("a")]).await.unwrap();
    assert!(!reply.succeeded);
    assert_eq!(revision(reply.header), 2);
    let Response::ResponseRange(range) = responses(&reply)[0] else { panic!("{reply:?}") };
    assert_eq!(kv(&range.kvs[0]).value, "1");
    let reply = client.txn(vec![], vec![delete_op("absent")], vec![]).await.unwrap();
    assert_eq!(revision(reply.header), 2, "a delete of nothing takes no revision");
}

#[tokio::test]
async fn nested_transactions_compare_the_state_before() {
    let (_site, mut client) = site().await;
    let nested = |key: &str, version| TxnRequest {
        compare: vec![compare(key, CompareResult::Equal, CompareTarget::Version, TargetUnion::Version(version))],
        success: vec![put_op("then", "1")],
        failure: vec![put_op("else", "1")],
    };
    let op = RequestOp { request: Some(Request::RequestTxn(nested("a", 0))) };
    let reply = client.txn(vec![], vec![put_op("a", "1"), op], vec![]).await.unwrap();
    assert_eq!(revision(reply.header), 2);
    let Response::ResponseTxn(inner) = responses(&reply)[1] else { panic!("{reply:?}") };
    assert!(inner.succeeded, "the nested compare sees the state before the transaction");
    assert_eq!(client.get("then").await.unwrap().unwrap().mod_revision, 2);
    assert_eq!(client.get("else").await.unwrap(), None);
}

#[tokio::test]
async fn a_refused_operation_undoes_the_whole_transaction() {
    let (_site, mut client) = site().await;
    let put = PutRequest { key: "b".into(), lease: 77, ..PutRequest::default() };
    let op = RequestOp { request: Some(Request::RequestPut(put)) };
    let refusal = client.txn(vec![], vec![put_op("a", "1"), op], vec![]).await.unwrap_err();
    assert_eq!(refusal.message(), "etcdserver: requested lease not found");
    assert_eq!(client.get("a").await.unwrap(), None);
    assert_eq!(client.put("c", "1").await.unwrap(), 2);
}
