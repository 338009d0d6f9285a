//! The oldest segment is damaged and has to be cleaned. What could go wrong: cleaning stops for good although nobody needs
//! what is damaged, or frees what somebody does. Promised: the log stays within its bound in the first case, and is kept as
//! it is in the second.

use crate::common::{dump, put, run};
use archipel_store::{Config, Store};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is damaged lies in the first segment, with this in it.
const HERE: &str = "the-damaged-value";

/// A site whose first segment holds one value, in a record of its own, and many that are overwritten.
fn site(dir: &Path) -> (Store, PathBuf) {
    let config =
        Config { segment_bytes: 16 << 10, background: false, value_cache_bytes: 0, ..Config::new(dir, "nantes") };
    let store = Store::open(config).unwrap();
    put(&store, "here", HERE);
    for at in 0..1_000 {
        put(&store, &format!("k{}", at % 5), &"x".repeat(200));
    }
    (store, dir.join("log/0000000000000001.segment"))
}

fn damage(segment: &Path) {
    let bytes = std::fs::read(segment).unwrap();
    let at = bytes.windows(HERE.len()).position(|window| window == HERE.as_bytes()).unwrap();
    OpenOptions::new().write(true).open(segment).unwrap().write_all_at(b"?", at as u64).unwrap();
}

#[test]
fn a_damaged_segment_that_nobody_needs_is_freed() {
    let home = tempfile::tempdir().unwrap();
    let (store, segment) = site(&home.path().join("site"));
    put(&store, "here", "another");
    let shown = dump(&store, 0);
    run(store.compact(store.revision(), true)).unwrap();
    damage(&segment);
    store.maintain().unwrap();
    assert!(!segment.exists());
    assert_eq!(dump(&store, 0), shown);
}

#[test]
fn a_damaged_segment_that_somebody_needs_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let (store, segment) = site(&home.path().join("site"));
    run(store.compact(store.revision(), true)).unwrap();
    damage(&segment);
    for round in 0..3 {
        store.maintain().unwrap();
        assert!(segment.exists());
        put(&store, "k0", &format!("goes on {round}"));
    }
    assert!(run(async { store.view().get(b"here") }).is_err());
    assert!(store.view().get(b"k0").is_ok_and(|found| found.is_some()));
}
