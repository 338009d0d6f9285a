//! Range with every field, RangeStream, Put, DeleteRange, Compact.

use super::site;
use archipel_storage_tests::client::{
    Client, keys, kv, revision,
    wire::{
        CompactionRequest, DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse,
        range_request::{SortOrder, SortTarget},
    },
};
use tonic::Code;

/// Five keys; "c" was written twice, "d" once and deleted.
async fn filled(client: &mut Client) {
    for (key, value) in [("a", "5"), ("b", "4"), ("c", "3"), ("d", "2"), ("e", "1"), ("c", "9")] {
        client.put(key, value).await.unwrap();
    }
    client.delete("d").await.unwrap();
}

fn all() -> RangeRequest {
    RangeRequest { key: "a".into(), range_end: "z".into(), ..RangeRequest::default() }
}

#[tokio::test]
async fn an_empty_store_is_at_revision_1() {
    let (_site, mut client) = site().await;
    let reply = client.range(RangeRequest { key: "absent".into(), limit: 1, ..RangeRequest::default() }).await.unwrap();
    let header = reply.header.unwrap();
    assert_eq!((header.revision, reply.count, reply.more, reply.kvs.len()), (1, 0, false, 0));
    assert!(header.cluster_id != 0 && header.member_id != 0 && header.raft_term >= 1);
    assert_eq!(client.put("a", "1").await.unwrap(), 2);
}

#[tokio::test]
async fn every_field_of_a_range() {
    let (_site, mut client) = site().await;
    filled(&mut client).await;
    let reply = client.range(all()).await.unwrap();
    assert_eq!(keys(&reply), ["a", "b", "c", "e"]);
    assert_eq!((reply.count, reply.more, revision(reply.header)), (4, false, 8));

    let reply = client.range(RangeRequest { limit: 2, ..all() }).await.unwrap();
    assert_eq!(keys(&reply), ["a", "b"]);
    assert_eq!((reply.count, reply.more), (4, true), "the count is that of the interval");
    let reply = client.range(RangeRequest { limit: 4, ..all() }).await.unwrap();
    assert!(!reply.more);

    let reply = client.range(RangeRequest { revision: 6, ..all() }).await.unwrap();
    assert_eq!((keys(&reply).len(), reply.count, revision(reply.header)), (5, 5, 8), "the header shows the present");
    assert_eq!(kv(&reply.kvs[2]).value, "3");

    let reply = client.range(RangeRequest { keys_only: true, ..all() }).await.unwrap();
    assert!(reply.kvs.iter().all(|bytes| kv(bytes).value.is_empty() && kv(bytes).mod_revision > 0));
    let reply = client.range(RangeRequest { count_only: true, ..all() }).await.unwrap();
    assert_eq!((reply.count, reply.kvs.len()), (4, 0));
    let reply = client.range(RangeRequest { serializable: true, ..all() }).await.unwrap();
    assert_eq!(reply.count, 4);

    let reply =
        client.range(RangeRequest { key: "b".into(), range_end: vec![0].into(), ..RangeRequest::default() }).await;
    assert_eq!(keys(&reply.unwrap()), ["b", "c", "e"], "a zero end means everything from the key");
    let zero = RangeRequest { key: vec![0].into(), range_end: vec![0].into(), ..RangeRequest::default() };
    assert_eq!(client.range(zero).await.unwrap().count, 4);

    let reply = client.range(RangeRequest { min_mod_revision: 3, max_mod_revision: 6, ..all() }).await.unwrap();
    assert_eq!(
        (keys(&reply), reply.count),
        (vec!["b".to_owned(), "e".to_owned()], 4),
        "filters do not touch the count"
    );
    let reply = client.range(RangeRequest { min_create_revision: 3, max_create_revision: 4, ..all() }).await.unwrap();
    assert_eq!(keys(&reply), ["b", "c"]);
}

#[tokio::test]
async fn every_sort_order() {
    let (_site, mut client) = site().await;
    filled(&mut client).await;
    let cases: &[(SortTarget, SortOrder, &[&str])] = &[
        (SortTarget::Key, SortOrder::None, &["a", "b", "c", "e"]),
        (SortTarget::Key, SortOrder::Descend, &["e", "c", "b", "a"]),
        (SortTarget::Create, SortOrder::Descend, &["e", "c", "b", "a"]),
        (SortTarget::Mod, SortOrder::Ascend, &["a", "b", "e", "c"]),
        (SortTarget::Mod, SortOrder::None, &["a", "b", "e", "c"]),
        (SortTarget::Value, SortOrder::Ascend, &["e", "b", "a", "c"]),
    ];
    for (target, order, expected) in cases {
        let request = RangeRequest { sort_target: (*target).into(), sort_order: (*order).into(), ..all() };
        assert_eq!(keys(&client.range(request.clone()).await.unwrap()), *expected, "{target:?} {order:?}");
        let limited = client.range(RangeRequest { limit: 1, ..request }).await.unwrap();
        assert_eq!(keys(&limited), expected[..1]);
        assert!(limited.more);
    }
    let by_version = RangeRequest {
        sort_target: SortTarget::Version.into(),
        sort_order: SortOrder::Descend.into(),
        limit: 1,
        ..all()
    };
    assert_eq!(keys(&client.range(by_version).await.unwrap()), ["c"]);
}

#[tokio::test]
async fn versions_and_what_a_put_keeps() {
    let (_site, mut client) = site().await;
    client.put("a", "1").await.unwrap();
    let put = PutRequest { key: "a".into(), value: "2".into(), prev_kv: true, ..PutRequest::default() };
    let previous = kv(&client.kv.put(put).await.unwrap().into_inner().prev_kv.unwrap());
    assert_eq!((previous.value.as_ref(), previous.version, previous.mod_revision), (b"1".as_slice(), 1, 2));
    let keep = PutRequest { key: "a".into(), ignore_value: true, ..PutRequest::default() };
    client.kv.put(keep).await.unwrap();
    let version = client.get("a").await.unwrap().unwrap();
    assert_eq!((version.value.as_ref(), version.version), (b"2".as_slice(), 3));
    assert_eq!((version.create_revision, version.mod_revision), (2, 4));
    client.delete("a").await.unwrap();
    client.put("a", "").await.unwrap();
    let version = client.get("a").await.unwrap().unwrap();
    assert_eq!((version.version, version.create_revision), (1, 6), "a delete starts the count anew");
    assert!(version.value.is_empty());
}

#[tokio::test]
async fn deletes_are_one_revision_and_nothing_is_none() {
    let (_site, mut client) = site().await;
    filled(&mut client).await;
    let delete = DeleteRangeRequest { key: "a".into(), range_end: "c".into(), prev_kv: true };
    let reply = client.kv.delete_range(delete.clone()).await.unwrap().into_inner();
    assert_eq!((reply.deleted, revision(reply.header)), (2, 9));
    let previous: Vec<_> = reply.prev_kvs.iter().map(|bytes| kv(bytes).value).collect();
    assert_eq!(previous, ["5", "4"]);
    let again = client.kv.delete_range(delete).await.unwrap().into_inner();
    assert_eq!((again.deleted, revision(again.header)), (0, 9));
}

#[tokio::test]
async fn a_range_stream_is_a_range_in_chunks() {
    let (_site, mut client) = site().await;
    let value = vec![7_u8; 16 * 1024];
    for n in 0..400 {
        client.put(format!("k{n:04}"), value.clone()).await.unwrap();
    }
    let request = RangeRequest { key: "k".into(), range_end: "l".into(), ..RangeRequest::default() };
    for limit in [0, 7, 100] {
        let request = RangeRequest { limit, ..request.clone() };
        let whole = client.range(request.clone()).await.unwrap();
        let mut stream = client.kv.range_stream(request).await.unwrap().into_inner();
        let mut chunks: Vec<RangeResponse> = Vec::new();
        while let Some(chunk) = stream.message().await.unwrap() {
            chunks.push(chunk.range_response.unwrap());
        }
        let (last, before) = chunks.split_last().unwrap();
        assert!(
            before
                .iter()
                .all(|chunk| chunk.header.is_none() && chunk.count == 0 && !chunk.more && !chunk.kvs.is_empty())
        );
        assert_eq!((last.header, last.count, last.more), (whole.header, whole.count, whole.more));
        let joined: Vec<_> = chunks.iter().flat_map(|chunk| chunk.kvs.clone()).collect();
        assert_eq!(joined, whole.kvs);
        assert!(limit != 0 || chunks.len() > 4, "a large reply comes in several chunks");
    }
    let count = RangeRequest { count_only: true, ..request.clone() };
    let mut stream = client.kv.range_stream(count).await.unwrap().into_inner();
    let only = stream.message().await.unwrap().unwrap().range_response.unwrap();
    assert_eq!((only.count, only.kvs.len(), only.header.is_some()), (400, 0, true));
    assert!(stream.message().await.unwrap().is_none());
    let sorted = RangeRequest { sort_order: SortOrder::Descend.into(), ..request };
    assert_eq!(client.kv.range_stream(sorted).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn history_ends_at_the_compact_revision() {
    let (_site, mut client) = site().await;
    filled(&mut client).await;
    let reply = client.kv.compact(CompactionRequest { revision: 6, physical: false }).await.unwrap().into_inner();
    assert_eq!(revision(reply.header), 8);
    let at = |revision| RangeRequest { revision, ..all() };
    assert_eq!(client.range(at(6)).await.unwrap().count, 5, "the compact revision itself can be read");
    assert_eq!(client.range(at(5)).await.unwrap_err().code(), Code::OutOfRange);
    client.kv.compact(CompactionRequest { revision: 8, physical: true }).await.unwrap();
    assert_eq!(client.range(all()).await.unwrap().count, 4);
}
