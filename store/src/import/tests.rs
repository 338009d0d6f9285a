use super::*;
use crate::mvcc::{DeleteRangeRequest, PutRequest, RangeRequest, tombstone};
use crate::watch::{WatchEventKind, WatchRequest, WatchStep};
use crate::{Config, Store};

fn everything(revision: i64) -> RangeRequest {
    let all = Bytes::from_static(&[0]);
    RangeRequest { key: all.clone(), range_end: all, revision, ..RangeRequest::default() }
}

fn config(dir: &Path) -> Config {
    Config { background: false, ..Config::new(dir, "nantes") }
}

async fn put(store: &Store, key: &'static str, value: &'static str) -> i64 {
    store.put(PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }).await.unwrap().0
}

/// Copies a store as a snapshot does: what the compaction left, then the history.
fn copy(from: &Store, to: &Path, compact: Option<i64>) {
    let view = from.view();
    let start = view.compact_revision().max(1);
    let mut import = Import::begin(to).unwrap();
    for kv in view.range(&everything(start)).unwrap().kvs {
        if KeyValue::decode(&kv).unwrap().mod_revision < start {
            import.version(kv).unwrap();
        }
    }
    let all = Bytes::from_static(&[0]);
    let request = WatchRequest { key: all.clone(), range_end: all, start_revision: start, ..WatchRequest::default() };
    let mut history = view.watch(request);
    while let WatchStep::Events { events, .. } = history.poll_events(1) {
        for event in events {
            import.event(event.kv, event.kind == WatchEventKind::Delete).unwrap();
        }
    }
    import.finish(compact.or((view.compact_revision() > 0).then(|| view.compact_revision()))).unwrap();
}

#[tokio::test]
async fn a_copy_answers_as_the_original_at_every_kept_revision() {
    let dir = tempfile::tempdir().unwrap();
    let original = Store::open(config(&dir.path().join("a"))).unwrap();
    for round in ["1", "2", "3"] {
        for key in ["a", "b", "c"] {
            put(&original, key, round).await;
        }
    }
    let deleted = original.delete_range(DeleteRangeRequest { key: "b".into(), ..Default::default() }).await.unwrap().0;
    original.compact(deleted, true).await.unwrap();
    put(&original, "b", "again").await;
    let last = put(&original, "d", "new").await;

    copy(&original, &dir.path().join("b"), None);
    let restored = Store::open(config(&dir.path().join("b"))).unwrap();
    assert_eq!((restored.revision(), restored.compact_revision()), (last, deleted));
    for revision in deleted..=last {
        assert_eq!(
            restored.view().range(&everything(revision)).unwrap(),
            original.view().range(&everything(revision)).unwrap()
        );
    }
    assert_ne!(restored.site().site_id, original.site().site_id);
    assert_eq!(put(&restored, "a", "4").await, last + 1);
    restored.close().await;
    let again = Store::open(config(&dir.path().join("b"))).unwrap();
    assert_eq!(again.revision(), last + 1);
}

#[tokio::test]
async fn a_copy_may_go_on_at_a_higher_revision() {
    let dir = tempfile::tempdir().unwrap();
    let original = Store::open(config(&dir.path().join("a"))).unwrap();
    put(&original, "a", "1").await;
    put(&original, "a", "2").await;
    copy(&original, &dir.path().join("b"), Some(1_000));
    for start in 0..2 {
        let restored = Store::open(config(&dir.path().join("b"))).unwrap();
        assert_eq!((restored.revision(), restored.compact_revision()), (1_000 + start, 1_000));
        let found = restored.view().range(&everything(0)).unwrap();
        assert_eq!(KeyValue::decode(&found.kvs[0]).unwrap().version, 2 + start);
        assert!(restored.view().range(&everything(999)).is_err());
        assert_eq!(put(&restored, "a", "3").await, 1_001 + start);
        restored.close().await;
    }
}

#[test]
fn what_is_no_version_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut import = Import::begin(dir.path()).unwrap();
    assert!(matches!(import.version(Bytes::from_static(b"\xff")), Err(ImportError::Version)));
    import.event(tombstone(b"a", 5), true).unwrap();
    assert!(matches!(import.event(tombstone(b"a", 4), true), Err(ImportError::Order { .. })));
    import.finish(None).unwrap();
    assert!(matches!(Import::begin(dir.path()), Err(ImportError::NotEmpty)));
}
