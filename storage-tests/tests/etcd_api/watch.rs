//! Watch: creation, events, filters, fragments, cancel, progress both ways, past and future starts, compaction.

use super::{site, site_with};
use archipel_storage_tests::client::{
    kv, revision,
    wire::{CompactionRequest, WatchCreateRequest, event::EventType, watch_create_request::FilterType},
};
use std::time::Duration;

/// How long nothing must come where nothing may come.
const QUIET: Duration = Duration::from_millis(300);

fn watch(key: &str, end: &str) -> WatchCreateRequest {
    WatchCreateRequest {
        key: key.as_bytes().to_vec().into(),
        range_end: end.as_bytes().to_vec().into(),
        ..WatchCreateRequest::default()
    }
}

#[tokio::test]
async fn events_with_what_was_before() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    let created = stream.create(WatchCreateRequest { prev_kv: true, ..watch("a", "b") }).await;
    assert!(created.created && !created.canceled);
    assert_eq!((created.watch_id, revision(created.header), created.events.len()), (0, 1, 0));
    client.put("a", "1").await.unwrap();
    client.put("z", "elsewhere").await.unwrap();
    client.put("a", "2").await.unwrap();
    client.delete("a").await.unwrap();
    let mut events = Vec::new();
    while events.len() < 3 {
        events.extend(stream.next().await.events);
    }
    let kinds: Vec<_> = events.iter().map(|event| event.r#type()).collect();
    assert_eq!(kinds, [EventType::Put, EventType::Put, EventType::Delete]);
    assert!(events[0].prev_kv.is_none(), "a create has nothing before it");
    assert_eq!(kv(events[1].prev_kv.as_ref().unwrap()).value, "1");
    let deleted = kv(&events[2].kv);
    assert_eq!(
        (deleted.key.as_ref(), deleted.mod_revision, deleted.version, deleted.create_revision),
        (b"a".as_slice(), 5, 0, 0)
    );
    assert_eq!(kv(events[2].prev_kv.as_ref().unwrap()).value, "2");
}

#[tokio::test]
async fn filters_ids_and_cancel() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    let no_put = WatchCreateRequest { filters: vec![FilterType::Noput.into()], watch_id: 7, ..watch("a", "") };
    assert_eq!(stream.create(no_put.clone()).await.watch_id, 7);
    let twice = stream.create(no_put).await;
    assert!(twice.created && twice.canceled);
    assert_eq!(twice.watch_id, -1);
    assert_eq!(twice.cancel_reason, "mvcc: duplicate watch ID provided on the WatchStream");
    client.put("a", "1").await.unwrap();
    client.delete("a").await.unwrap();
    let response = stream.next().await;
    assert_eq!((response.watch_id, response.events.len()), (7, 1));
    assert_eq!(response.events[0].r#type(), EventType::Delete);
    stream.cancel(12345).await;
    stream.cancel(7).await;
    let canceled = stream.next().await;
    assert!(canceled.canceled && !canceled.created);
    assert_eq!((canceled.watch_id, canceled.cancel_reason.as_str(), canceled.compact_revision), (7, "", 0));
    client.put("a", "1").await.unwrap();
    stream.assert_quiet(QUIET).await;
    let no_delete = WatchCreateRequest { filters: vec![FilterType::Nodelete.into()], ..watch("a", "") };
    let id = stream.create(no_delete).await.watch_id;
    client.delete("a").await.unwrap();
    client.put("a", "2").await.unwrap();
    let response = stream.next().await;
    assert_eq!((response.watch_id, response.events[0].r#type()), (id, EventType::Put));
}

#[tokio::test]
async fn a_negative_start_is_refused_in_etcds_words() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    let refused = stream.create(WatchCreateRequest { start_revision: -1, ..watch("a", "") }).await;
    assert!(refused.created && refused.canceled);
    assert_eq!((refused.watch_id, refused.compact_revision), (-1, 0));
    assert_eq!(refused.cancel_reason, "etcdserver: mvcc: required revision has been compacted");
}

#[tokio::test]
async fn a_start_below_the_compact_revision_is_created_and_then_canceled() {
    let (_site, mut client) = site().await;
    for n in 0..8 {
        client.put("a", n.to_string()).await.unwrap();
    }
    client.kv.compact(CompactionRequest { revision: 5, physical: true }).await.unwrap();
    let mut stream = client.watch_stream().await.unwrap();
    let created = stream.create(WatchCreateRequest { start_revision: 4, ..watch("a", "") }).await;
    assert!(created.created && !created.canceled);
    let canceled = stream.next().await;
    assert!(canceled.canceled);
    assert_eq!((canceled.watch_id, canceled.compact_revision, canceled.events.len()), (created.watch_id, 5, 0));
    let served = stream.create(WatchCreateRequest { start_revision: 5, ..watch("a", "") }).await;
    assert!(served.created && !served.canceled, "the compact revision itself is served");
    assert_eq!(kv(&stream.next().await.events[0].kv).mod_revision, 5);
}

#[tokio::test]
async fn a_future_start_waits_and_has_no_progress() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    stream.create(WatchCreateRequest { start_revision: 4, ..watch("a", "") }).await;
    stream.ask_progress().await;
    for n in 0..2 {
        client.put("a", n.to_string()).await.unwrap();
    }
    stream.assert_quiet(QUIET).await;
    client.put("a", "4").await.unwrap();
    assert_eq!(kv(&stream.next().await.events[0].kv).mod_revision, 4);
}

#[tokio::test]
async fn progress_on_request_covers_every_watcher() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    stream.ask_progress().await;
    stream.assert_quiet(QUIET).await;
    stream.create(watch("a", "")).await;
    stream.create(watch("b", "")).await;
    client.put("elsewhere", "1").await.unwrap();
    stream.ask_progress().await;
    let progress = stream.next().await;
    assert_eq!((progress.watch_id, progress.events.len(), revision(progress.header)), (-1, 0, 2));
    assert!(!progress.created && !progress.canceled);
    let last = client.put("a", "1").await.unwrap();
    stream.ask_progress().await;
    assert_eq!(stream.next().await.events.len(), 1, "events come before the progress that covers them");
    assert_eq!(revision(stream.next().await.header), last);
}

#[tokio::test]
async fn periodic_progress_leaves_out_who_had_events() {
    let (_site, mut client) = site_with(&["--watch-progress-notify-interval", "200ms"]).await;
    let mut stream = client.watch_stream().await.unwrap();
    stream.create(watch("a", "")).await;
    let id = stream.create(WatchCreateRequest { progress_notify: true, ..watch("b", "") }).await.watch_id;
    client.put("elsewhere", "1").await.unwrap();
    for _ in 0..2 {
        let progress = stream.next().await;
        assert_eq!((progress.watch_id, progress.events.len(), revision(progress.header)), (id, 0, 2));
    }
}

#[tokio::test]
async fn a_revision_is_never_split_and_fragments_are_flagged() {
    let (_site, mut client) = site().await;
    let mut stream = client.watch_stream().await.unwrap();
    let value = "v".repeat(600 * 1024);
    let written: Vec<i64> = {
        let mut revisions = Vec::new();
        for n in 0..6 {
            revisions.push(client.put(format!("a{n}"), value.clone()).await.unwrap());
        }
        revisions
    };
    // A delete of all of them is one revision whose former versions are larger than one part.
    let delete = archipel_storage_tests::client::wire::DeleteRangeRequest {
        key: "a".into(),
        range_end: "b".into(),
        prev_kv: false,
    };
    let deleted = revision(client.kv.delete_range(delete).await.unwrap().into_inner().header);
    assert_eq!(deleted, written.len() as i64 + 2);
    let whole = WatchCreateRequest { start_revision: deleted, prev_kv: true, ..watch("a", "b") };
    stream.create(whole.clone()).await;
    let response = stream.next().await;
    assert_eq!((response.events.len(), response.fragment), (6, false), "without the flag it is one message");

    let mut stream = client.watch_stream().await.unwrap();
    stream.create(WatchCreateRequest { fragment: true, ..whole }).await;
    let mut parts = vec![stream.next().await];
    while parts.last().unwrap().fragment {
        parts.push(stream.next().await);
    }
    assert!(parts.len() > 1);
    assert_eq!(parts.iter().map(|part| part.events.len()).sum::<usize>(), 6);
}
