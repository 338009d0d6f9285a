//! The log on the machine's own disk.

use crate::rig::{Random, check_positions, record};
use archipel_store::disk::{Disk, RealDisk};
use archipel_store::log::{Log, OpenError, Options, Parts, Replayed};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn open(dir: &Path, options: &Options) -> (Parts, Vec<Replayed>) {
    let mut found = Vec::new();
    let mut recovery = Log::open(Arc::new(RealDisk), dir, options.clone()).unwrap();
    recovery.replay(None, &mut |_| (), &mut |replayed| found.push(replayed)).unwrap();
    (recovery.finish().unwrap(), found)
}

#[test]
fn an_empty_start_is_quick() {
    let home = tempfile::tempdir().unwrap();
    let best = (0..5).map(|attempt| {
        let start = Instant::now();
        let parts = open(&home.path().join(format!("log-{attempt}")), &Options::default());
        let took = start.elapsed();
        drop(parts);
        took
    });
    let best = best.min().unwrap();
    println!("empty start: {best:?}");
    // The promise is 20 ms; the margin is for a machine that does other things.
    assert!(best < Duration::from_millis(100), "{best:?}");
}

#[test]
fn readers_read_while_the_log_grows_is_cleaned_and_recycles() {
    let home = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 64 << 10, ..Options::default() };
    let (mut parts, _) = open(&home.path().join("log"), &options);
    let mut random = Random(9);
    let mut kept: Vec<Replayed> = Vec::new();
    let pin = std::cell::RefCell::new(None);
    for number in 1..800 {
        let record = record(number, &mut random);
        let appended = parts.appender.append(&record).unwrap();
        parts.syncer.write(parts.appender.take_batch().unwrap()).unwrap();
        kept.push(Replayed { record, appended });
        if number == 300 {
            *pin.borrow_mut() = Some((parts.reader.pin(), kept[250..300].to_vec()));
        }
        let segments = parts.cleaner.segments(parts.syncer.durable());
        if segments.len() > 3 {
            parts.cleaner.free_segment(segments[0].sequence).unwrap();
            kept.retain(|replayed| replayed.appended.start.segment > segments[0].sequence);
        }
    }
    let (pin, pinned) = pin.into_inner().unwrap();
    assert!(parts.reader.read(pinned[0].appended.events[0]).is_err() || pinned[0].appended.events[0].length == 0);
    for replayed in &pinned {
        check_positions(replayed, &|at| pin.read(at).map_err(|error| error.to_string())).unwrap();
    }
    for replayed in &kept {
        check_positions(replayed, &|at| parts.reader.read(at).map_err(|error| error.to_string())).unwrap();
    }
    drop((parts, pin));
    let (_, found) = open(&home.path().join("log"), &options);
    assert_eq!(found, kept);
}

#[test]
fn a_directory_that_others_can_enter_is_refused() {
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let error = Log::open(Arc::new(RealDisk), home.path(), Options::default()).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

#[test]
fn a_second_log_in_the_same_directory_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let parts = open(&home.path().join("log"), &Options::default());
    let error = Log::open(Arc::new(RealDisk), &home.path().join("log"), Options::default()).unwrap_err();
    assert!(matches!(error, OpenError::Dir { .. }) && error.to_string().contains("another process"), "{error}");
    drop(parts);
    open(&home.path().join("log"), &Options::default());
}

#[test]
fn what_is_created_is_for_its_owner_only() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("a/b");
    RealDisk.create_dir(&dir).unwrap();
    RealDisk.create(&dir.join("f")).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join("f"))), (0o700, 0o600));
}
