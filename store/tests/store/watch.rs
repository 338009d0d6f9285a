//! Watches: from the past and the future, slow ones, filters, progress, compaction.

use crate::common::{Site, bytes, delete, drain, put, put_request, run, show_event, watch};
use archipel_store::Store;
use archipel_store::mvcc::{DeleteRangeRequest, Op, TxnRequest};
use archipel_store::watch::{WatchRequest, WatchStep, Watcher};

fn story() -> Store {
    let store = Site::new(1).open();
    put(&store, "a", "1"); // 2
    put(&store, "b", "1"); // 3
    put(&store, "a", "2"); // 4
    delete(&store, "a"); // 5
    put(&store, "a", "3"); // 6
    store
}

#[test]
fn a_watch_from_the_past_sees_everything_once() {
    let store = story();
    let mut watcher = watch(&store, 2);
    let told = [
        "put a=1@2/2/1",
        "put b=1@3/3/1",
        "put a=2@4/2/2 was a=1@2/2/1",
        "delete a=@5/0/0 was a=2@4/2/2",
        "put a=3@6/6/1",
    ];
    assert_eq!(drain(&mut watcher), told);
    assert_eq!(drain(&mut watcher), [""; 0]);
    assert_eq!(drain(&mut watch(&store, 5)), told[3..]);
    put(&store, "c", "1");
    assert_eq!(drain(&mut watcher), ["put c=1@7/7/1"]);
}

#[test]
fn a_watch_from_now_sees_only_what_comes() {
    let store = story();
    let mut watcher = watch(&store, 0);
    assert_eq!((watcher.progress_revision(), drain(&mut watcher).len()), (Some(6), 0));
    delete(&store, "b");
    assert_eq!(drain(&mut watcher), ["delete b=@7/0/0 was b=1@3/3/1"]);
    assert_eq!(watcher.progress_revision(), Some(7));
}

/// A progress notification below a future start would make the client resume too early (etcd issue 20221).
#[test]
fn a_watch_from_the_future_waits_and_gives_no_progress() {
    let store = story();
    let mut watcher = watch(&store, 9);
    for _ in 0..2 {
        assert_eq!((drain(&mut watcher).len(), watcher.progress_revision()), (0, None));
        put(&store, "a", "4");
    }
    assert_eq!((drain(&mut watcher).len(), watcher.progress_revision()), (0, Some(8)));
    put(&store, "a", "5");
    assert_eq!(watcher.progress_revision(), Some(8), "what was not returned is not promised");
    assert_eq!(drain(&mut watcher), ["put a=5@9/6/4 was a=4@8/6/3"]);
    assert_eq!(watcher.progress_revision(), Some(9));
}

#[test]
fn a_slow_watcher_gets_whole_revisions_in_order() {
    let store = Site::new(1).open();
    let mut watcher = watch(&store, 2);
    let three = |at: usize| -> Vec<Op> {
        (0..3).map(|part| Op::Put(put_request(&format!("k{at}-{part}"), &"v".repeat(40)))).collect()
    };
    for at in 0..500 {
        run(store.txn(TxnRequest { success: three(at), ..TxnRequest::default() })).unwrap();
    }
    let (mut seen, mut steps) = (1, 0);
    loop {
        match watcher.poll_events(1000) {
            WatchStep::Events { revision, events } => {
                assert!(events.len() <= 21 && events.len() % 3 == 0, "no revision is split");
                for event in events.chunks(3) {
                    seen += 1;
                    assert!(event.iter().all(|event| show_event(event).contains(&format!("@{seen}/"))));
                }
                assert_eq!(revision, seen);
                steps += 1;
            }
            WatchStep::Synced { revision } => {
                assert_eq!((revision, seen), (501, 501));
                break;
            }
            WatchStep::Unreadable(error) => panic!("{error}"),
            WatchStep::Compacted { .. } => panic!("nothing was compacted"),
        }
        assert_eq!(watcher.progress_revision(), None);
    }
    assert!(steps > 50);
    assert_eq!(watcher.poll_events(0), WatchStep::Synced { revision: 501 });
}

#[test]
fn filters_and_ranges() {
    let store = story();
    let told = |request: WatchRequest| drain(&mut store.watch(request));
    let of = |key: &str, end: &str| WatchRequest {
        key: bytes(key),
        range_end: bytes(end),
        start_revision: 2,
        ..WatchRequest::default()
    };
    assert_eq!(told(of("b", "")), ["put b=1@3/3/1"]);
    assert_eq!(told(of("b", "c")), ["put b=1@3/3/1"]);
    assert_eq!(told(of("b", "a")), [""; 0]);
    assert_eq!(told(WatchRequest { no_put: true, ..of("a", "z") }), ["delete a=@5/0/0"]);
    let puts = ["put a=1@2/2/1", "put a=2@4/2/2", "put a=3@6/6/1"];
    assert_eq!(told(WatchRequest { no_delete: true, ..of("a", "") }), puts);
}

/// A watch from exactly the compact revision sees that revision, its deletes included (etcd issues 18089, 19179).
#[test]
fn compaction_cuts_below_its_revision_only() {
    let store = story();
    let mut slow = watch(&store, 3);
    let mut synced = watch(&store, 0);
    run(store.compact(5, true)).unwrap();
    let compacted = ["compacted 5"];
    assert_eq!(drain(&mut slow), compacted);
    assert_eq!(drain(&mut watch(&store, 4)), compacted);
    // What the delete took away is compacted: etcd reads it by a Range below the compact revision, and tells none.
    let told = ["delete a=@5/0/0", "put a=3@6/6/1"];
    assert_eq!(drain(&mut watch(&store, 5)), told);
    run(store.compact(6, true)).unwrap();
    assert_eq!(drain(&mut watch(&store, 6)), told[1..]);
    assert_eq!(drain(&mut synced), [""; 0], "a synced watcher has nothing to miss");
    put(&store, "z", "1");
    assert_eq!(drain(&mut synced), ["put z=1@7/7/1"]);
}

#[test]
fn a_range_delete_is_one_revision() {
    let store = story();
    let mut watcher = watch(&store, 0);
    let all = DeleteRangeRequest { key: bytes("a"), range_end: bytes("z"), prev_kv: false };
    let (revision, reply) = run(store.delete_range(all)).unwrap();
    assert_eq!((revision, reply.deleted), (7, 2));
    assert_eq!(drain(&mut watcher), ["delete a=@7/0/0 was a=3@6/6/1", "delete b=@7/0/0 was b=1@3/3/1"]);
}

/// Watchers that start at random moments, while writers write, each see every revision from theirs on exactly once.
#[test]
fn concurrent_watchers_miss_nothing() {
    const WRITES: i64 = 2_000;
    let store = Site::new(1).open();
    let follow = |mut watcher: Watcher| {
        let store = store.clone();
        move || {
            let mut published = store.published();
            let mut expected = watcher.next_revision();
            run(async {
                while expected <= WRITES + 1 {
                    match watcher.poll_events(512) {
                        WatchStep::Events { events, .. } => {
                            for event in events {
                                assert!(show_event(&event).contains(&format!("@{expected}/")));
                                expected += 1;
                            }
                        }
                        WatchStep::Synced { .. } => published.changed().await.unwrap(),
                        WatchStep::Unreadable(error) => panic!("{error}"),
                        WatchStep::Compacted { .. } => panic!("nothing was compacted"),
                    }
                }
            });
        }
    };
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                for at in 0..WRITES / 4 {
                    put(&store, &format!("k{writer}"), &at.to_string());
                }
            });
        }
        for start in [0, 2, 0, 3, 0] {
            scope.spawn(follow(watch(&store, start)));
            std::thread::yield_now();
        }
    });
}
