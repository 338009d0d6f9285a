//! Every refusal of etcd's catalogue that the KV and Lease calls can give, by code and text.

use super::{site, site_with};
use archipel_storage_tests::client::{
    Client, put_op, range_op,
    wire::{
        CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
        RangeRequest, RequestOp,
    },
};
use tonic::{Code, Status};

fn is<T: std::fmt::Debug>(outcome: Result<T, Status>, code: Code, text: &str) {
    let refusal = outcome.expect_err(text);
    assert_eq!((refusal.code(), refusal.message()), (code, text));
}

async fn put(client: &mut Client, put: PutRequest) -> Result<(), Status> {
    client.kv.put(put).await.map(|_| ())
}

#[tokio::test]
async fn of_keys_values_and_sort_options() {
    let (_site, mut client) = site().await;
    const NO_KEY: &str = "etcdserver: key is not provided";
    is(client.range(RangeRequest::default()).await, Code::InvalidArgument, NO_KEY);
    is(client.put("", "1").await, Code::InvalidArgument, NO_KEY);
    is(client.kv.delete_range(DeleteRangeRequest::default()).await, Code::InvalidArgument, NO_KEY);
    is(client.txn(vec![Compare::default()], vec![], vec![]).await, Code::InvalidArgument, NO_KEY);
    is(client.txn(vec![], vec![put_op("", "")], vec![]).await, Code::InvalidArgument, NO_KEY);
    is(client.kv.range_stream(RangeRequest::default()).await, Code::InvalidArgument, NO_KEY);

    let of = |key: &'static str| PutRequest { key: key.into(), ..PutRequest::default() };
    const ABSENT: &str = "etcdserver: key not found";
    is(put(&mut client, PutRequest { ignore_value: true, ..of("a") }).await, Code::InvalidArgument, ABSENT);
    is(put(&mut client, PutRequest { ignore_lease: true, ..of("a") }).await, Code::InvalidArgument, ABSENT);
    is(client.txn(vec![], vec![RequestOp { request: None }], vec![]).await, Code::InvalidArgument, ABSENT);
    let value = PutRequest { ignore_value: true, value: "1".into(), ..of("a") };
    is(put(&mut client, value).await, Code::InvalidArgument, "etcdserver: value is provided");
    let lease = PutRequest { ignore_lease: true, lease: 1, ..of("a") };
    is(put(&mut client, lease).await, Code::InvalidArgument, "etcdserver: lease is provided");
    const SORT: &str = "etcdserver: invalid sort option";
    for (sort_order, sort_target) in [(9, 0), (0, 9)] {
        let request = RangeRequest { key: "a".into(), sort_order, sort_target, ..RangeRequest::default() };
        is(client.range(request).await, Code::InvalidArgument, SORT);
    }
}

#[tokio::test]
async fn of_transactions() {
    let (_site, mut client) = site().await;
    let puts = |count: usize| (0..count).map(|n| put_op(&format!("k{n}"), "1")).collect::<Vec<_>>();
    client.txn(vec![], puts(128), vec![]).await.unwrap();
    const MANY: &str = "etcdserver: too many operations in txn request";
    is(client.txn(vec![], puts(129), vec![]).await, Code::InvalidArgument, MANY);
    const TWICE: &str = "etcdserver: duplicate key given in txn request";
    is(client.txn(vec![], vec![put_op("a", "1"), put_op("a", "2")], vec![]).await, Code::InvalidArgument, TWICE);
    client.txn(vec![], vec![put_op("a", "1"), range_op("a")], vec![put_op("a", "2")]).await.unwrap();
}

#[tokio::test]
async fn of_revisions() {
    let (_site, mut client) = site().await;
    for n in 0..5 {
        client.put("a", n.to_string()).await.unwrap();
    }
    const FUTURE: &str = "etcdserver: mvcc: required revision is a future revision";
    const COMPACTED: &str = "etcdserver: mvcc: required revision has been compacted";
    let at = |revision| RangeRequest { key: "a".into(), revision, ..RangeRequest::default() };
    is(client.range(at(7)).await, Code::OutOfRange, FUTURE);
    is(client.kv.range_stream(at(7)).await, Code::OutOfRange, FUTURE);
    let compact = |revision| CompactionRequest { revision, physical: false };
    is(client.kv.compact(compact(7)).await, Code::OutOfRange, FUTURE);
    client.kv.compact(compact(4)).await.unwrap();
    is(client.kv.compact(compact(4)).await, Code::OutOfRange, COMPACTED);
    is(client.kv.compact(compact(3)).await, Code::OutOfRange, COMPACTED);
    is(client.range(at(3)).await, Code::OutOfRange, COMPACTED);
    let old =
        RequestOp { request: Some(archipel_storage_tests::client::wire::request_op::Request::RequestRange(at(3))) };
    is(client.txn(vec![], vec![put_op("b", "1"), old], vec![]).await, Code::OutOfRange, COMPACTED);
    assert_eq!(client.get("b").await.unwrap(), None, "a refused transaction changes nothing");
    client.kv.compact(compact(6)).await.expect("the current revision can be compacted");
}

#[tokio::test]
async fn of_leases() {
    let (_site, mut client) = site().await;
    const NOT_FOUND: &str = "etcdserver: requested lease not found";
    is(
        put(&mut client, PutRequest { key: "a".into(), lease: 9, ..PutRequest::default() }).await,
        Code::NotFound,
        NOT_FOUND,
    );
    is(client.lease.lease_revoke(LeaseRevokeRequest { id: 9 }).await, Code::NotFound, NOT_FOUND);
    client.lease.lease_grant(LeaseGrantRequest { ttl: 10, id: 9 }).await.unwrap();
    let again = client.lease.lease_grant(LeaseGrantRequest { ttl: 10, id: 9 }).await;
    is(again, Code::FailedPrecondition, "etcdserver: lease already exists");
    let long = client.lease.lease_grant(LeaseGrantRequest { ttl: 9_000_000_001, id: 0 }).await;
    is(long, Code::OutOfRange, "etcdserver: too large lease TTL");
}

#[tokio::test]
async fn of_sizes() {
    let (_site, mut client) = site_with(&[]).await;
    let large = client.put("a", vec![7; 1_600_000]).await;
    is(large, Code::InvalidArgument, "etcdserver: request is too large");
    let refusal = client.put("a", vec![7; 3_000_000]).await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted);
    assert!(refusal.message().starts_with("grpc: received message larger than max ("), "{refusal}");
    assert!(refusal.message().ends_with(" vs. 2097152)"), "{refusal}");
    client.put("a", vec![7; 1_500_000]).await.unwrap();
}

/// The limits of etcd-compatible servers at their boundaries: the last that is taken, the first that is not.
#[tokio::test]
async fn of_what_is_just_above_a_limit() {
    let (_site, mut client) = site_with(&["--max-txn-ops=3", "--max-request-bytes=10000"]).await;
    let puts = |count: usize| (0..count).map(|n| put_op(&format!("k{n}"), "1")).collect::<Vec<_>>();
    const MANY: &str = "etcdserver: too many operations in txn request";
    client.txn(vec![], puts(3), puts(3)).await.unwrap();
    is(client.txn(vec![], puts(4), vec![]).await, Code::InvalidArgument, MANY);
    is(client.txn(vec![], vec![], puts(4)).await, Code::InvalidArgument, MANY);
    let exists = |n: usize| Compare { key: format!("k{n}").into(), ..Compare::default() };
    is(client.txn((0..4).map(exists).collect(), vec![], vec![]).await, Code::InvalidArgument, MANY);

    // What etcd's own envelope takes is not known to the byte.
    const ENVELOPE: usize = 64;
    const LARGE: &str = "etcdserver: request is too large";
    client.put("a", vec![7; 10_000 - ENVELOPE]).await.unwrap();
    is(client.put("a", vec![7; 10_000]).await, Code::InvalidArgument, LARGE);
    let two = vec![put_op("a", &"v".repeat(5_000)), put_op("b", &"v".repeat(5_000))];
    is(client.txn(vec![], two, vec![]).await, Code::InvalidArgument, LARGE);
    // The receive limit is the request's and half a mebibyte.
    is(client.put("a", vec![7; 10_000 + 512 * 1024 - ENVELOPE]).await, Code::InvalidArgument, LARGE);
    let refusal = client.put("a", vec![7; 10_000 + 512 * 1024]).await.unwrap_err();
    assert_eq!(refusal.code(), Code::ResourceExhausted, "{refusal}");
    assert!(refusal.message().ends_with(" vs. 534288)"), "{refusal}");

    let mut grant = async |ttl, id| {
        let granted = client.lease.lease_grant(LeaseGrantRequest { ttl, id }).await;
        granted.map(|granted| granted.into_inner().ttl)
    };
    for (ttl, granted) in [(9_000_000_000, 9_000_000_000), (3, 3), (2, 2), (1, 2), (0, 2), (-5, 2)] {
        assert_eq!(grant(ttl, 0).await.unwrap(), granted, "{ttl}");
    }
    is(grant(9_000_000_001, 0).await, Code::OutOfRange, "etcdserver: too large lease TTL");
    assert_eq!(grant(5, i64::MAX).await.unwrap(), 5);
}
