//! The power fails at any moment. What could go wrong: an acknowledged record is gone, half a record is seen, a record
//! that an earlier start had cut comes back, an old frame of a recycled file is taken for new, a segment's name is lost.
//! Promised: after any crash the log is what was acknowledged, then some of what was under way, in order and unchanged.

use crate::rig::{Random, Site, options};
use archipel_store::disk::SimulatedDisk;
use archipel_store::log::Options;

const CRASHES: u64 = 10_000;
const CRASHES_A_DISK: u64 = 5;

/// What a search saw.
#[derive(Debug, Default)]
struct Tally {
    crashes: u64,
    torn: u64,
    rolls: u64,
    freed: u64,
    acknowledged: u64,
}

/// One disk, several lives. An error is a broken promise.
fn lives(seed: u64, plant: fn(&SimulatedDisk), tally: &mut Tally) -> Result<(), String> {
    let mut random = Random(seed);
    let disk = SimulatedDisk::new(seed);
    plant(&disk);
    let segment_bytes = 4096 << random.below(3);
    let mut site = Site::new(disk, Options { log_id: seed, ..options(segment_bytes) });
    for _ in 0..CRASHES_A_DISK {
        site.disk.cut_after(1 + random.below(90));
        live(&mut site, &mut random, tally)?;
        tally.crashes += 1;
        site.crash();
    }
    site.open()?;
    Ok(())
}

/// One life, up to the cut.
fn live(site: &mut Site, random: &mut Random, tally: &mut Tally) -> Result<(), String> {
    // The cut may come while the log is opened, which only writes; reading works.
    match site.open() {
        Ok(summary) => tally.torn += u64::from(summary.torn.is_some()),
        Err(_) if site.disk.is_cut() => return Ok(()),
        Err(error) => return Err(error),
    }
    while !site.disk.is_cut() && site.parts.is_some() {
        let before = site.memory.acknowledged;
        let count = 1 + random.below(4);
        if site.commit(count, random).is_err() {
            break;
        }
        tally.acknowledged += (site.memory.acknowledged - before) as u64;
        let segments = site.parts.as_ref().map_or(0, |parts| parts.appender.end().segment);
        tally.rolls = tally.rolls.max(segments);
        if segments > site.memory.freed + 4 && site.free() {
            tally.freed += 1;
        }
    }
    Ok(())
}

#[test]
fn ten_thousand_crashes_lose_nothing_that_was_acknowledged() {
    let mut tally = Tally::default();
    for seed in 0..CRASHES / CRASHES_A_DISK {
        if let Err(broken) = lives(seed, |_| (), &mut tally) {
            panic!("seed {seed}: {broken}");
        }
    }
    println!("{tally:?}");
    // A search that never meets what it searches for proves nothing.
    assert_eq!(tally.crashes, CRASHES);
    assert!(tally.torn > CRASHES / 20 && tally.freed > CRASHES / 20, "{tally:?}");
    assert!(tally.acknowledged > CRASHES * 10, "{tally:?}");
}

#[test]
fn acknowledging_before_the_sync_is_found_out() {
    assert!(finds(|disk| disk.plant_no_sync(true)) > 100);
}

#[test]
fn forgetting_to_sync_the_directory_is_found_out() {
    assert!(finds(|disk| disk.plant_no_sync_dir(true)) > 100);
}

/// How many of 200 disks break a promise with a planted bug.
fn finds(plant: fn(&SimulatedDisk)) -> usize {
    (0..200).filter(|seed| lives(*seed, plant, &mut Tally::default()).is_err()).count()
}
