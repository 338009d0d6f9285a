//! The disk refuses the nth operation, for every n of a story: an error of the device, or no space; once, or for good.
//!
//! What could go wrong: a failed fsync is tried again, reports success for pages that the kernel dropped, and the site
//! acknowledges; or it acknowledges something after the error; or it does not start any more; or what the page cache shows
//! to the next start is taken for durable and is gone after a power cut. Promised: after a failed write or sync nothing is
//! acknowledged, and every later start shows all that was.

use crate::judge::{Depth, judge};
use crate::life::{Going, Life, Possible, Tally, run};
use crate::random::Random;
use crate::site::Site;
use archipel_store::Store;
use archipel_store::disk::{Fault, FaultKind, Operation};
use archipel_store::error::RequestError;
use archipel_store::mvcc::PutRequest;
use bytes::Bytes;

const SEED: u64 = 3;
const STEPS: u64 = 60;

/// One story with a fault in it; says whether the fault was met. `power` is cut in the end, or the process only restarts.
fn story(fault: Fault, power: bool) -> Result<bool, String> {
    let (mut site, mut random) = (Site::new(SEED, 4_096), Random(SEED));
    let (mut possible, mut tally) = (Possible::default(), Tally::default());
    site.disk.fail(fault);
    let opened = site.open();
    let going = match &opened {
        Err(_) if site.disk.faults_met() > 0 => Going::Stopped,
        Err(error) => return Err(format!("does not start: {error}")),
        Ok(store) => {
            let mut life = Life::begin(&site, store.clone(), &mut possible, &mut random, &mut tally)?;
            let going = life.live(STEPS)?;
            if going == Going::Stopped {
                refuses(store)?;
            }
            going
        }
    };
    let met = site.disk.faults_met() > 0;
    if going == Going::Stopped && !met {
        return Err("stopped without a fault".into());
    }
    let store = opened.ok();
    if power {
        site.crash(store, &mut random);
    } else {
        site.kill(store);
    }
    // The next start, and one after a power cut: what the first showed is durable.
    for start in ["the next start", "the start after a power cut"] {
        let store = site.open().map_err(|error| format!("{start} fails: {error}"))?;
        let mut life = Life::begin(&site, store.clone(), &mut possible, &mut random, &mut tally)
            .map_err(|broken| format!("{start}: {broken}"))?;
        life.live(6).map_err(|broken| format!("after {start}: {broken}"))?;
        drop(life);
        site.crash(Some(store), &mut random);
    }
    let store = site.open().map_err(|error| format!("the last start fails: {error}"))?;
    possible.settle(|model| judge(&store, model, Depth::Whole))?;
    Ok(met)
}

/// A site that stopped stays stopped.
fn refuses(store: &Store) -> Result<(), String> {
    let put = PutRequest { key: Bytes::from_static(b"after"), ..PutRequest::default() };
    for _ in 0..3 {
        match run(store.put(put.clone())) {
            Err(RequestError::Stopped(_)) => {}
            other => return Err(format!("after the failure: {other:?}")),
        }
    }
    store.maintain().map_or(Ok(()), |()| Err("maintenance goes on after the failure".into()))
}

fn every_operation(operation: Operation, at_least: u64) {
    let mut points = 0;
    for kind in [FaultKind::Eio, FaultKind::Enospc] {
        for (forever, power) in [(false, false), (false, true), (true, false), (true, true)] {
            for after in 0.. {
                let fault = Fault { operation, after, kind, forever };
                match story(fault, power) {
                    Ok(true) => points += 1,
                    Ok(false) => break,
                    Err(broken) => panic!("{fault:?}, power {power}: {broken}"),
                }
            }
        }
    }
    println!("{operation:?}: {points} faults");
    assert!(points >= at_least, "{operation:?}: only {points} faults were met");
}

#[test]
fn every_write_fails_once() {
    every_operation(Operation::Write, 400);
}

#[test]
fn every_sync_fails_once() {
    every_operation(Operation::Sync, 400);
}

#[test]
fn every_change_of_a_name_fails_once() {
    every_operation(Operation::Directory, 100);
}

/// The log is whole without its index: the site goes on.
#[test]
fn every_write_of_the_index_fails_once() {
    every_operation(Operation::Other, 40);
}

/// A start reads: it says what it could not read, and starts when it can.
#[test]
fn every_read_of_a_start_fails_once() {
    let (mut site, mut random) = (Site::new(SEED, 4_096), Random(SEED));
    let (mut possible, mut tally) = (Possible::default(), Tally::default());
    let store = site.open().unwrap();
    Life::begin(&site, store.clone(), &mut possible, &mut random, &mut tally).unwrap().live(STEPS).unwrap();
    site.crash(Some(store), &mut random);
    for forever in [false, true] {
        for after in 0.. {
            site.disk.fail(Fault { operation: Operation::Read, after, kind: FaultKind::Eio, forever });
            let refused = site.open().err();
            let met = site.disk.faults_met() > 0;
            site.disk.kill();
            assert!(met || refused.is_none(), "read {after}: {refused:?}");
            let store = site.open().unwrap_or_else(|error| panic!("read {after} failed once: {error}"));
            possible.settle(|model| judge(&store, model, Depth::Some(3))).unwrap();
            site.crash(Some(store), &mut random);
            if !met {
                assert!(after > 20, "only {after} reads");
                break;
            }
        }
    }
}
