//! What is on disks out there. What could go wrong: a version that reads its own files and nobody else's, or that takes the
//! files of a newer one for damaged and lets an admin throw them away. Promised: each released format is read with all that
//! is in it; a newer one is refused with what to do.
//!
//! `fixtures/format-N/` holds the log of a small site as the version with log format N wrote it, without its index, which is
//! made anew from it, and `picture.txt`: everything that a client could see. A new format gets a new directory; the old
//! ones stay as they are. To write the one of the present format:
//!
//! ```sh
//! ARCHIPEL_WRITE_FIXTURE=1 cargo test -p archipel-store --test store the_fixture_is_what_is_written_today
//! ```

use crate::common::{bytes, delete, put, put_request, run};
use crate::restart::{picture, set_row};
use archipel_store::error::{OpenError, RequestError};
use archipel_store::inspect::{InspectError, verify};
use archipel_store::log::Table;
use archipel_store::mvcc::PutRequest;
use archipel_store::{Config, Store};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Log formats that were released, and the present one.
const FORMATS: [u32; 1] = [2];
/// Of a segment's header: the version, and the checksum of what lies before.
const VERSION_AT: usize = 8;
const CRC_AT: usize = 60;

fn fixture(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}"))
}

fn open(dir: &Path) -> Result<Store, OpenError> {
    Store::open(Config { segment_bytes: 4 << 10, background: false, ..Config::new(dir, "nantes") })
}

/// A copy that may be opened; directories of a site are its owner's.
fn copy(format: u32, to: &Path) {
    DirBuilder::new().mode(0o700).recursive(true).create(to.join("log")).unwrap();
    for entry in fs::read_dir(fixture(format).join("log")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join("log").join(entry.file_name())).unwrap();
    }
}

#[test]
fn every_released_format_is_read() {
    for format in FORMATS {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("site");
        copy(format, &dir);
        let found = verify(&dir, &mut |_| ()).unwrap();
        assert!(found.is_clean() && found.segments > 1, "format {format}: {found:?}");
        let store = open(&dir).unwrap();
        let expected = fs::read_to_string(fixture(format).join("picture.txt")).unwrap();
        assert_eq!(picture(&store), expected.lines().collect::<Vec<_>>(), "format {format}");
        put(&store, "more", "is written");
    }
}

#[test]
fn a_newer_format_is_refused_with_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let newest = FORMATS[FORMATS.len() - 1];
    drop(open(&home.path().join("new")).unwrap());
    let written = fs::read(home.path().join("new/log/0000000000000001.segment")).unwrap();
    let has_fixture = written[VERSION_AT..VERSION_AT + 4] == newest.to_le_bytes();
    assert!(has_fixture, "the format has changed: write its fixture, and keep the old ones");
    let dir = home.path().join("site");
    copy(newest, &dir);
    for entry in fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|extension| extension == "segment") {
            let mut segment = fs::read(&entry).unwrap();
            assert_eq!(segment[VERSION_AT..VERSION_AT + 4], newest.to_le_bytes());
            segment[VERSION_AT..VERSION_AT + 4].copy_from_slice(&(newest + 1).to_le_bytes());
            let crc = crc32fast::hash(&segment[..CRC_AT]);
            segment[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
            fs::write(entry, segment).unwrap();
        }
    }
    let refused = open(&dir).unwrap_err().to_string();
    let says = format!("it has format {}, which this version does not know; use the one that wrote it", newest + 1);
    assert!(refused.contains(&says), "{refused}");
    let refused = verify(&dir, &mut |_| ()).unwrap_err();
    assert!(matches!(refused, InspectError::Format { version, known, .. } if (version, known) == (newest + 1, newest)));
    assert!(refused.to_string().ends_with("use the version of Archipel that wrote it"), "{refused}");
}

/// The site of the fixture of the present format, made anew: it shows what the fixture shows. See the module.
#[test]
fn the_fixture_is_what_is_written_today() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("site");
    let store = open(&dir).unwrap();
    put(&store, "old", "moved by cleaning");
    run(store.lease_grant(7, 600)).unwrap();
    run(store.put(PutRequest { lease: 7, ..put_request("leased", "goes with its lease") })).unwrap();
    for at in 0..60 {
        put(&store, &format!("k{}", at % 5), &format!("value {at} {}", "x".repeat(100)));
    }
    delete(&store, "k3");
    run(store.compact(store.revision() - 10, true)).unwrap();
    store.maintain().unwrap();
    run(store.close());
    drop(store);

    let store = open(&dir).unwrap();
    // Larger than what the index keeps, and enough for more segments.
    for at in 0..6 {
        set_row(&store, Table::Peer, &format!("peer {at}"), Some(&"r".repeat(900)));
    }
    set_row(&store, Table::Entry, "one", Some("entry"));
    set_row(&store, Table::Entry, "two", Some("dropped"));
    set_row(&store, Table::Entry, "two", None);
    let merged = store.commit(|commit| {
        commit.put(&bytes("merged"), b"in two revisions", 0)?;
        commit.begin_revision();
        commit.put(&bytes("k3"), b"again", 0)?;
        commit.delete(b"k4");
        Ok::<_, RequestError>(())
    });
    merged.unwrap().1.wait().unwrap();
    run(store.lease_grant(9, 60)).unwrap();
    let shown = picture(&store).join("\n") + "\n";
    run(store.close());
    drop(store);

    let to = fixture(FORMATS[FORMATS.len() - 1]);
    if std::env::var_os("ARCHIPEL_WRITE_FIXTURE").is_none() {
        assert_eq!(shown, fs::read_to_string(to.join("picture.txt")).unwrap());
        return;
    }
    fs::create_dir_all(to.join("log")).unwrap();
    for entry in fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().path()) {
        let is_kept = entry.extension().is_none_or(|extension| extension == "segment");
        if is_kept && !entry.ends_with("LOCK") {
            fs::copy(&entry, to.join("log").join(entry.file_name().unwrap())).unwrap();
        }
    }
    fs::write(to.join("picture.txt"), shown).unwrap();
}
