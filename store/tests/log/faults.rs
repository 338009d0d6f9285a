//! The disk refuses. What could go wrong: the log retries a failed fsync, which reports success for writes that the
//! kernel dropped, and acknowledges. Promised: after the first error nothing is acknowledged, and a restart finds
//! everything that was.

use crate::rig::{Random, Site, options};
use archipel_store::disk::{Fault, FaultKind, Operation, SimulatedDisk};
use archipel_store::log::Options;
use std::time::{Duration, Instant};

fn run(fault: Fault, seed: u64) -> bool {
    let mut random = Random(seed);
    let mut site = Site::new(SimulatedDisk::new(seed), options(4 << 10));
    site.open().expect("new");
    site.disk.fail(fault);
    let mut failed = false;
    for _ in 0..80 {
        let committed = site.commit(1 + random.below(3), &mut random);
        assert!(!failed || committed.is_err(), "acknowledged after {fault:?}");
        failed |= committed.is_err();
        if site.memory.number % 8 == 0 {
            failed |= !site.free() && site.parts.as_ref().is_some_and(|parts| parts.syncer.fatal().is_some());
        }
    }
    if failed {
        let parts = site.parts.as_mut().expect("open");
        assert!(parts.appender.append(&Default::default()).is_err(), "accepted after {fault:?}");
    }
    site.crash();
    site.open().unwrap_or_else(|broken| panic!("{fault:?}: {broken}"));
    failed
}

#[test]
fn nothing_is_acknowledged_after_the_nth_operation_failed() {
    for operation in [Operation::Write, Operation::Sync, Operation::Directory] {
        for kind in [FaultKind::Eio, FaultKind::Enospc] {
            let met = (0..50).filter(|after| {
                let forever = after % 2 == 0;
                run(Fault { operation, after: *after, kind, forever }, *after)
            });
            assert!(met.count() > 20, "{operation:?} {kind:?}: the fault was hardly ever met");
        }
    }
}

/// A sync fails, and the process starts again on the same machine: its page cache shows the batch, the disk does not have
/// it, and the kernel takes its pages for clean. What could go wrong: the start goes on behind it, and after a power cut
/// there is a hole before records that were acknowledged.
#[test]
fn a_start_writes_the_last_batch_again() {
    let mut random = Random(1);
    let mut site = Site::new(SimulatedDisk::new(1), options(4 << 10));
    site.open().expect("new");
    site.commit(2, &mut random).expect("no fault yet");
    site.disk.fail(Fault { operation: Operation::Sync, after: 0, kind: FaultKind::Eio, forever: false });
    site.commit(2, &mut random).expect_err("the sync failed");
    site.parts = None;
    site.disk.kill();
    site.open().expect("the page cache shows it");
    site.commit(2, &mut random).expect("no fault any more");
    site.crash();
    site.open().expect("no hole");
}

#[test]
fn a_directory_has_one_log_at_a_time() {
    let disk = SimulatedDisk::new(1);
    let mut first = Site::new(disk.clone(), options(4 << 10));
    first.open().unwrap();
    let mut second = Site::new(disk, options(4 << 10));
    assert!(second.open().unwrap_err().contains("another process"));
    first.parts = None;
    second.open().unwrap();
}

/// The disk fills up while the current segment still has room. What could go wrong: nobody is told before the log has
/// to stop. Promised: the refusal is known at once, what fits is still acknowledged, and it ends when there is space.
#[test]
fn a_disk_that_is_too_full_for_the_next_segment_is_known_before_the_log_stops() {
    let mut random = Random(1);
    let disk = SimulatedDisk::new(1);
    let mut site = Site::new(disk.clone(), Options { prepare_ahead: true, ..options(1 << 20) });
    // The file that names the oldest segment takes four: removed, created, renamed, synced. The first segment takes three.
    disk.fail(Fault { operation: Operation::Directory, after: 7, kind: FaultKind::Enospc, forever: true });
    site.open().expect("new");
    wait_for(&mut site, true);
    site.commit(3, &mut random).expect("there is room in this segment");
    disk.heal();
    wait_for(&mut site, false);
    site.commit(3, &mut random).expect("there is space again");
}

fn wait_for(site: &mut Site, refused: bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let appender = &site.parts.as_ref().unwrap().appender;
    while appender.space_error().is_some() != refused {
        assert!(Instant::now() < deadline, "expected a refusal: {refused}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
