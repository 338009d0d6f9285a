//! What a restart keeps, with the index, without it, and with one that lags behind. And what a stop refuses.

use crate::common::{Site, bytes, delete, drain, dump, put, put_request, run, watch};
use archipel_store::disk::{Fault, FaultKind, Operation};
use archipel_store::error::RequestError;
use archipel_store::index::MemoryIndex;
use archipel_store::log::Table;
use archipel_store::sequencer::Commit;
use archipel_store::{Config, Store};

/// Everything that a client can see.
pub(crate) fn picture(store: &Store) -> Vec<String> {
    let mut all = vec![format!("revision {} compact {}", store.revision(), store.compact_revision())];
    for revision in store.compact_revision().max(1)..=store.revision() {
        all.push(format!("{revision}: {:?}", dump(store, revision)));
    }
    let events = drain(&mut watch(store, store.compact_revision().max(1)));
    // What came before the compact revision's own events is kept in memory only.
    all.extend(events.into_iter().map(|event| event.split(" was ").next().unwrap().to_owned()));
    all.push(format!("{:?}", store.leases()));
    for table in [Table::Peer, Table::Entry] {
        all.push(format!("{:?}", store.view().rows(table, b"")));
    }
    all
}

pub(crate) fn set_row(store: &Store, table: Table, key: &str, value: Option<&str>) {
    let change = |commit: &mut Commit<'_>| {
        match value {
            Some(value) => commit.table_put(table, bytes(key), bytes(value)),
            None => commit.table_delete(table, key.as_bytes()),
        }
        Ok::<_, RequestError>(())
    };
    store.commit(change).unwrap().1.wait().unwrap();
}

fn write_story(store: &Store, round: usize) {
    for at in 0..20 {
        put(store, &format!("k{}", at % 7), &format!("{round}-{at}"));
    }
    delete(store, "k3");
    run(store.lease_grant(100 + round as i64, 60)).unwrap();
    set_row(store, Table::Peer, "rennes", Some(&"x".repeat(300 + round)));
    set_row(store, Table::Entry, &format!("e{round}"), Some("entry"));
    if round > 0 {
        set_row(store, Table::Entry, &format!("e{}", round - 1), None);
    }
}

#[test]
fn reopening_shows_the_same_picture() {
    let site = Site::new(3);
    for round in 0..6 {
        let store = site.open();
        write_story(&store, round);
        if round % 2 == 1 {
            run(store.compact(store.revision() - 9, round % 4 == 1)).unwrap();
        }
        if round % 3 == 0 {
            store.maintain().unwrap();
            write_story(&store, round + 50);
        }
        let before = picture(&store);
        if round % 2 == 0 {
            run(store.close());
        } else {
            drop(store);
        }
        let with_index = picture(&site.open());
        assert_eq!(with_index, before, "round {round}");
        let rebuilding = Site { index: MemoryIndex::default(), ..site_on(&site) };
        assert_eq!(picture(&rebuilding.open()), before, "round {round} without the index");
    }
}

/// The same disk and clock.
fn site_on(site: &Site) -> Site {
    let Site { disk, clock, index, segment_bytes } = site;
    Site { disk: disk.clone(), clock: clock.clone(), index: index.clone(), segment_bytes: *segment_bytes }
}

/// The real disk and the real index: closed and opened, then the index is deleted.
#[test]
fn the_index_can_be_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Store::open(Config::new(dir.path().join("site"), "nantes")).unwrap();
    let store = open();
    write_story(&store, 0);
    run(store.compact(10, true)).unwrap();
    let before = picture(&store);
    run(store.close());
    assert_eq!(run(store.put(put_request("k", "v"))), Err(RequestError::Stopped("the store is closed".into())));
    drop(store);
    let store = open();
    assert_eq!(picture(&store), before);
    run(store.close());
    drop(store);
    std::fs::remove_dir_all(dir.path().join("site/index")).unwrap();
    let store = open();
    assert_eq!(picture(&store), before);
    write_story(&store, 1);
}

#[test]
fn bytes_on_disk_stay_near_the_live_bytes() {
    let site = Site { segment_bytes: 16 << 10, ..Site::new(5) };
    let store = site.open();
    put(&store, "old", "kept from the first segment");
    run(store.lease_grant(5, 1_000)).unwrap();
    set_row(&store, Table::Peer, "rennes", Some("kept too"));
    for at in 0..3_000 {
        put(&store, &format!("k{}", at % 10), &"v".repeat(200));
        if at % 100 == 99 {
            run(store.compact(store.revision() - 20, true)).unwrap();
            store.maintain().unwrap();
        }
    }
    let sizes = store.size();
    assert!(sizes.total_bytes < 40 * (16 << 10), "{sizes:?} after 3,000 puts of 200 bytes");
    let before = picture(&store);
    assert!(before.iter().any(|line| line.contains("old=kept from the first segment@2/2/1")));
    run(store.close());
    drop(store);
    assert_eq!(picture(&site.open()), before);
    let rebuilding = Site { index: MemoryIndex::default(), ..site_on(&site) };
    assert_eq!(picture(&rebuilding.open()), before);
}

/// After a failed sync nothing is acknowledged any more, and what was not durable is not visible.
#[test]
fn a_failed_sync_stops_the_store_for_good() {
    let site = Site::new(7);
    let store = site.open();
    put(&store, "a", "1");
    site.disk.fail(Fault { operation: Operation::Sync, after: 0, kind: FaultKind::Eio, forever: false });
    let stopped = |result| matches!(result, Err(RequestError::Stopped(_)));
    assert!(stopped(run(store.put(put_request("a", "2")))));
    site.disk.heal();
    assert!(stopped(run(store.put(put_request("a", "3")))));
    assert!(matches!(run(store.lease_grant(1, 5)), Err(RequestError::Stopped(_))));
    assert_eq!((store.revision(), dump(&store, 0)), (2, vec!["a=1@2/2/1".to_owned()]));
    drop(store);
    let store = site.open();
    assert!(store.revision() >= 2);
    put(&store, "a", "4");
}

/// A merge may write several revisions; they are one record, which happens whole or not at all.
#[test]
fn several_revisions_are_one_change() {
    let site = Site::new(9);
    let store = site.open();
    set_row(&store, Table::Entry, "kept", Some("1"));
    let merged = store.commit(|commit| {
        commit.put(&bytes("x"), b"from rennes", 0)?;
        commit.begin_revision();
        commit.put(&bytes("y"), b"from rennes", 0)?;
        commit.put(&bytes("z"), b"from rennes", 0)?;
        commit.begin_revision();
        Ok::<_, RequestError>(commit.revision())
    });
    let (revision, ticket) = merged.unwrap();
    ticket.wait().unwrap();
    assert_eq!(revision, 3, "a revision without events is not consumed");
    let before = picture(&store);
    let failed = store.commit(|commit| {
        commit.delete(b"x");
        commit.put(&bytes("x"), b"again", 0)?;
        commit.table_delete(Table::Entry, b"kept");
        commit.table_put(Table::Entry, bytes("never"), bytes("1"));
        commit.begin_revision();
        commit.put(&bytes("q"), b"never", 99)
    });
    assert_eq!(failed.map(|_| ()), Err(RequestError::LeaseNotFound));
    put(&store, "x", "2");
    delete(&store, "x");
    assert_eq!(picture(&store)[2..4], before[2..4], "what was refused left no trace");
    assert_eq!(dump(&store, 3), ["x=from rennes@2/2/1", "y=from rennes@3/3/1", "z=from rennes@3/3/1"]);
    assert_eq!(store.view().rows(Table::Entry, b""), [(bytes("kept"), bytes("1"))]);
    let before = picture(&store);
    run(store.close());
    drop(store);
    assert_eq!(picture(&site.open()), before);
}

/// What could go wrong: somebody removes the newest segments, and the site starts as if they had never been.
#[test]
fn a_log_that_ends_before_its_index_is_refused() {
    let site = Site::new(11);
    let store = site.open();
    put(&store, "a", "1");
    let before = site.disk.image();
    put(&store, "a", "2");
    store.maintain().unwrap();
    drop(store);
    let config = Config { background: false, segment_bytes: site.segment_bytes, ..Config::new("/site", "nantes") };
    let open = |index| {
        Store::open_on(
            config.clone(),
            std::sync::Arc::new(before.image()),
            site.clock.clone(),
            std::sync::Arc::new(index),
        )
    };
    let refused = open(site.index.clone()).unwrap_err();
    assert!(refused.to_string().contains("segments are missing"), "{refused}");
    assert_eq!(open(MemoryIndex::default()).unwrap().revision(), 2);
}

/// A checkpoint writes what changed; when that outweighs what was there, all is written anew. Deleted and compacted keys
/// are gone from the index too, whatever blocks still name them.
#[test]
fn many_checkpoints_and_generations_show_the_same_picture() {
    let site = Site::new(13);
    for round in 0..8 {
        let store = site.open();
        for at in 0..300 {
            put(&store, &format!("k{:03}", (at * 7 + round) % 300), &format!("{round}"));
            if at % 50 == round {
                delete(&store, &format!("k{:03}", at));
                store.maintain().unwrap();
            }
        }
        run(store.compact(store.revision() - 5, true)).unwrap();
        store.maintain().unwrap();
        let before = picture(&store);
        drop(store);
        assert_eq!(picture(&site.open()), before, "round {round}");
        let rebuilding = Site { index: MemoryIndex::default(), ..site_on(&site) };
        assert_eq!(picture(&rebuilding.open()), before, "round {round} without the index");
    }
}
