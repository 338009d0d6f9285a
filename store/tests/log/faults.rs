//! The disk refuses. What could go wrong: the log retries a failed fsync, which reports success for writes that the
//! kernel dropped, and acknowledges. Promised: after the first error nothing is acknowledged, and a restart finds
//! everything that was.

use crate::rig::{Random, Site, options};
use archipel_store::disk::{Fault, FaultKind, Operation, SimulatedDisk};

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
