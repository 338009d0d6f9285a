//! What could go wrong: damage is not seen, or not told with the keys that need it; a sound site is called damaged; the
//! look itself changes the directory. Promised: each of these is told apart, and the directory stays as it was.

use super::*;
use crate::clock::ManualClock;
use crate::disk::SimulatedDisk;
use crate::limits::SCRUB_PASS_INTERVAL_MS;
use crate::log::{Event, EventKind, Log, Options, Position, Record};
use crate::mvcc::{DeleteRangeRequest, PutRequest};
use crate::revision::Revision;
use crate::sync::Arc;
use crate::{Config, Store};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn open(dir: &Path) -> Store {
    let config = Config { segment_bytes: 16 << 10, background: false, ..Config::new(dir, "nantes") };
    Store::open(config).unwrap()
}

fn put(store: &Store, key: &str, value: &str) {
    let request = PutRequest {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..PutRequest::default()
    };
    run(store.put(request)).unwrap();
}

fn delete(store: &Store, key: &str) {
    let key = Bytes::copy_from_slice(key.as_bytes());
    run(store.delete_range(DeleteRangeRequest { key, ..DeleteRangeRequest::default() })).unwrap();
}

/// A site with a live value, a value that was overwritten and compacted, and an orderly end.
fn written(dir: &Path) {
    let store = open(dir);
    put(&store, "dead", "the-dead-value");
    put(&store, "live", "the-live-value");
    put(&store, "dead", "another");
    run(store.lease_grant(7, 600)).unwrap();
    run(store.compact(store.revision(), true)).unwrap();
    run(store.close());
}

fn found(dir: &Path) -> Verification {
    verify(dir, &mut |_| ()).unwrap()
}

/// Every file with its content and its time of change.
fn picture(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        if metadata.is_dir() {
            all.extend(picture(&path));
        } else {
            all.insert(path.clone(), (std::fs::read(&path).unwrap(), metadata.modified().unwrap()));
        }
    }
    all
}

/// Changes a byte of the first place in the log that holds `text`.
fn damage(dir: &Path, text: &str) {
    flip(dir, text, 0b101);
}

fn flip(dir: &Path, text: &str, bits: u8) {
    let mut segments: Vec<_> = std::fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    segments.sort();
    for path in segments {
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(at) = bytes.windows(text.len()).position(|window| window == text.as_bytes()) {
            bytes[at + 2] ^= bits;
            std::fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("the log does not hold {text}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.metadata().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Rewrites, deletes, leases, compactions, cleaning, restarts: what the log says and what the index says is one thing, after
/// an orderly end and as a killed process leaves it.
#[test]
fn a_site_that_was_used_is_clean_and_stays_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    for round in 0..6_i64 {
        let store = open(&dir);
        for at in 0..300 {
            put(&store, &format!("k{}", (at * 7 + round) % 40), &"v".repeat(100));
            if at % 50 == 0 {
                delete(&store, &format!("k{}", at % 40));
                run(store.lease_grant(round * 1_000 + at, 600)).unwrap();
            }
            if at % 100 == 99 {
                run(store.compact(store.revision() - 20, at % 200 == 99)).unwrap();
                store.maintain().unwrap();
            }
        }
        let killed = home.path().join(format!("killed{round}"));
        copy(&dir, &killed);
        let (keys, revision) = (store.size().keys, store.revision());
        let refused = verify(&dir, &mut |_| ()).unwrap_err();
        assert!(refused.to_string().contains("another process uses"), "{refused}");
        run(store.close());
        for dir in [&dir, &killed] {
            let before = picture(dir);
            let found = found(dir);
            assert!(found.is_clean(), "round {round}: {found:?}");
            assert_eq!((found.keys, found.revision, found.torn), (keys, revision, None));
            assert!(matches!(found.index, IndexFinding::Agrees(_, digest) if digest == found.digest));
            assert_eq!(picture(dir), before);
        }
        assert!(found(&dir).closed && found(&dir).segments > 1);
    }
}

#[test]
fn damage_is_told_with_the_keys_that_need_it() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    written(&dir);
    let clean = found(&dir);
    assert!(clean.is_clean() && clean.keys == 2 && clean.torn.is_none(), "{clean:?}");

    let live = home.path().join("live");
    copy(&dir, &live);
    damage(&live, "the-live-value");
    let of_live = found(&live);
    let [place] = &of_live.damage[..] else { panic!("{of_live:?}") };
    assert_eq!((place.segment, place.kept, place.lost_count), (1, 1, 1));
    assert_eq!(place.lost, [DamagedKey { key: "live".into(), table: None, revision: 3 }]);
    assert_eq!((place.remedy, of_live.index.clone()), (damage::RESTORE, IndexFinding::NotCompared));

    let dead = home.path().join("dead");
    copy(&dir, &dead);
    damage(&dead, "the-dead-value");
    let of_dead = found(&dead);
    let [place] = &of_dead.damage[..] else { panic!("{of_dead:?}") };
    assert_eq!((place.kept, place.lost_count, place.remedy), (0, 0, damage::SPARE));

    std::fs::remove_dir_all(dead.join("index")).unwrap();
    assert_eq!(found(&dead).damage[0].remedy, damage::NO_START);
    assert!(Store::open(Config::new(&dead, "nantes")).is_err());
}

/// The last record of a process that was killed: half of it is there, and nobody was told that it is durable.
#[test]
fn a_torn_tail_is_no_damage() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    let store = open(&dir);
    put(&store, "a", "1");
    put(&store, "tail", "the-last-value");
    let killed = home.path().join("killed");
    copy(&dir, &killed);
    damage(&killed, "the-last-value");
    let found = found(&killed);
    assert!(found.is_clean() && found.torn.is_some_and(|torn| torn.bytes > 0), "{found:?}");
    assert_eq!((found.revision, found.keys), (2, 1));

    // Turned back.
    damage(&killed, "th`-last-value");
    let whole = verify(&killed, &mut |_| ()).unwrap();
    assert!(whole.is_clean() && whole.torn.is_none());
    flip(&killed, "the-last-value", 1);
    let flipped = verify(&killed, &mut |_| ()).unwrap();
    assert_eq!((flipped.damage[0].remedy, flipped.keys), (damage::MENDED, 2));
}

/// Anything may change at rest: it is seen, or it changes nothing.
#[test]
fn every_flipped_bit_is_seen_or_harmless() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    let store = open(&dir);
    for at in 0..200 {
        put(&store, &format!("k{}", at % 20), &"v".repeat(50 + at % 100));
    }
    run(store.close());
    std::fs::remove_dir_all(dir.join("index")).unwrap();
    let clean = found(&dir);
    assert!(clean.is_clean() && clean.segments > 1, "{clean:?}");
    let mut random = 7_u64;
    let mut seen = 0;
    for _ in 0..400 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let path = dir.join(format!("log/{:016x}.segment", 1 + (random >> 60) % clean.segments));
        let mut bytes = std::fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64;
        let at = ((random >> 16) % (used + 1)) as usize;
        bytes[at] ^= 1 << (random >> 8 & 7);
        std::fs::write(&path, &bytes).unwrap();
        let damaged = found(&dir);
        assert!(!damaged.is_clean() || damaged.digest == clean.digest, "{} byte {at}: {damaged:?}", path.display());
        seen += u32::from(!damaged.is_clean());
        bytes[at] ^= 1 << (random >> 8 & 7);
        std::fs::write(&path, &bytes).unwrap();
    }
    assert!(seen > 350, "{seen}");
}

/// Whole files: gone, of another version, without a header.
#[test]
fn files_that_are_not_what_they_were_are_named() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    let store = open(&dir);
    for at in 0..400 {
        put(&store, &format!("k{at}"), &"v".repeat(100));
    }
    run(store.close());
    let path = dir.join("log/0000000000000002.segment");
    let segment = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let missing = found(&dir);
    assert!(missing.damage.iter().any(|damage| damage.what == "segment 2 is missing before it"), "{missing:?}");
    let mut headless = segment.clone();
    headless[20] ^= 1;
    std::fs::write(&path, &headless).unwrap();
    let of_headless = found(&dir);
    assert_eq!(of_headless.damage.iter().map(|damage| &*damage.what).collect::<Vec<_>>(), ["its header is unreadable"]);
    assert_eq!(of_headless.keys, 400, "its records are read all the same");
    std::fs::write(&path, &segment).unwrap();
    std::fs::write(dir.join("log/first"), b"?").unwrap();
    assert!(found(&dir).damage[0].what.starts_with("its checksum is wrong"));
    let none = verify(home.path(), &mut |_| ()).unwrap_err().to_string();
    assert!(none.contains("holds no commit log; give the site's --data-dir"), "{none}");
}

#[test]
fn an_index_that_says_something_else_is_told() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    written(&dir);
    let index = dir.join("index");
    let files: Vec<_> = picture(&index).into_keys().collect();
    for path in files {
        std::fs::write(path, b"nothing").unwrap();
    }
    let unusable = found(&dir);
    assert!(matches!(unusable.index, IndexFinding::Unusable(_)) && !unusable.is_clean(), "{unusable:?}");
    assert!(unusable.damage.is_empty());

    let (mut truth, mut said) = (content::Content::default(), content::Content::default());
    let version = |key: &str, main| {
        let at = Position { segment: 1, offset: 64, length: 3, crc: 5 };
        let revision = crate::revision::Revision { main, sub: 0 };
        let numbers = crate::mvcc::Numbers { revision, create_revision: main, number: 1, lease: 0 };
        crate::mvcc::Version::stored(key.as_bytes(), numbers, at)
    };
    truth.versions = vec![version("a", 2), version("b", 3)];
    said.versions = vec![version("a", 2), version("c", 3)];
    let home = tempfile::tempdir().unwrap();
    written(&home.path().join("site"));
    let disk: std::sync::Arc<dyn crate::disk::Disk> = std::sync::Arc::new(crate::disk::ReadOnlyDisk);
    let directory = directory::Directory::open(&disk, &home.path().join("site")).unwrap();
    let told = compare::differences(&truth, &said, &directory.reader()).told;
    assert_eq!(
        told,
        [
            "key b at revision 3 is in the log and not in the index",
            "key c at revision 3 is in the index and not in the log"
        ]
    );
    assert_ne!(truth.digest(), said.digest());
}

fn dumped(dir: &Path, range: &DumpRange) -> Vec<DumpedRecord> {
    let mut all = Vec::new();
    dump(dir, range, &mut |shown| {
        match shown {
            Dumped::Record(record) => all.push(record),
            other => panic!("{other:?}"),
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

#[test]
fn a_dump_shows_every_record_once_in_order() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    written(&dir);
    let everything = DumpRange { revisions: None, limit: u64::MAX };
    let all = dumped(&dir, &everything);
    assert_eq!((all[0].kind, all.last().unwrap().kind), ("opened", "closed"));
    let shown: Vec<String> = all
        .iter()
        .flat_map(|record| &record.operations)
        .filter(|operation| operation.table != Some(crate::log::Table::Site))
        .map(|operation| {
            format!("{} {:?} {:?} {}", operation.kind, operation.key, operation.revision, operation.value_bytes)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "put b\"dead\" Some((2, 0)) 14",
            "put b\"live\" Some((3, 0)) 14",
            "put b\"dead\" Some((4, 0)) 7",
            "row put b\"\\0\\0\\0\\0\\0\\0\\0\\x07\" None 8",
            "compact b\"\" Some((4, 0)) 0",
        ]
    );
    assert!(all.windows(2).all(|pair| pair[0].start < pair[1].start));
    let lease = all.iter().flat_map(|record| &record.operations).find(|operation| operation.lease == 7).unwrap();
    assert_eq!(lease.ttl_s, Some(600));
    let some = dumped(&dir, &DumpRange { revisions: Some(3..=9), limit: 1 });
    assert_eq!((some.len(), some[0].revisions), (1, Some((3, 3))));
    assert_eq!(some[0].origin, Origin::Site { entries: Vec::new() });
}

/// A site that serves finds what its disk forgot, and tells what is lost from what nobody needs. Segments that cleaning takes
/// away meanwhile are no damage.
#[test]
fn the_scrub_finds_what_is_damaged_while_the_site_serves() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    let config =
        Config { segment_bytes: 16 << 10, background: false, value_cache_bytes: 0, ..Config::new(&dir, "nantes") };
    let store = Store::open(config).unwrap();
    put(&store, "dead", "the-dead-value");
    put(&store, "live", "the-live-value");
    put(&store, "dead", "another");
    assert_eq!(store.scrub(), ScrubStatus { passes: 1, ..store.scrub_status() });
    assert_eq!(store.scrub_status().bytes, 0, "the newest segment is being written");
    for at in 0..300 {
        put(&store, &format!("k{}", at % 150), &"v".repeat(100));
    }
    run(store.compact(store.revision(), true)).unwrap();
    let clean = store.scrub();
    assert!(
        clean.bytes > 16 << 10 && clean.errors == 0 && clean.passes == 2 && clean.last_pass_unix_ms > 0,
        "{clean:?}"
    );

    damage(&dir, "the-dead-value");
    let dead = store.scrub();
    assert_eq!((dead.errors, dead.lost), (1, 0));
    damage(&dir, "the-live-value");
    let live = store.scrub();
    assert_eq!((live.errors, live.lost), (3, 1));
}

/// The rate is kept, segment by segment, and what is cleaned between two beats is passed over.
#[test]
fn the_scrub_keeps_its_rate_and_passes_over_what_was_cleaned() {
    let (disk, options) =
        (SimulatedDisk::new(1), Options { segment_bytes: 1 << 20, prepare_ahead: false, ..Options::default() });
    let mut parts = Log::open(Arc::new(disk), Path::new("/log"), options).unwrap().finish().unwrap();
    let mut fill = |megabytes: i64| {
        for main in 0..megabytes * 16 {
            let kind = EventKind::Put(Bytes::from(vec![7; 64 << 10]));
            let event = Event { key: "k".into(), revision: Revision { main, sub: 0 }, kind };
            parts.appender.append(&Record { events: vec![event], ..Record::default() }).unwrap();
            parts.syncer.write(parts.appender.take_batch().unwrap()).unwrap();
        }
    };
    fill(6);
    let clock = Arc::new(ManualClock::at(1_000));
    let rate = 1 << 20;
    let scrub = Scrub::new(parts.reader, clock.clone(), rate);
    let load = || panic!("nothing is damaged");
    let second = |number: u64| {
        for _ in 0..4 {
            clock.advance(Duration::from_millis(250));
            scrub.beat(&load, &|| false);
        }
        let read = scrub.status().bytes;
        assert!(
            read <= number * rate + (64 << 10) + number * 100 && scrub.status().errors == 0,
            "{read} in {number} s"
        );
        read
    };
    assert!(second(1) > 900 << 10);
    let middle = second(2);
    for segment in 1..=3 {
        parts.cleaner.free_segment(segment).unwrap();
    }
    fill(2);
    let (third, fourth, fifth, sixth) = (second(3), second(4), second(5), second(6));
    assert!(middle < third && third <= fourth, "{middle} {third} {fourth}");
    assert_eq!((scrub.status().passes, fifth), (1, sixth), "the next pass is not begun yet");
    assert!(sixth < 5 << 20, "what was freed is not read, nor what was closed since the pass began");
    clock.advance(Duration::from_millis(SCRUB_PASS_INTERVAL_MS));
    scrub.beat(&load, &|| false);
    assert!(scrub.status().bytes > sixth);
}
