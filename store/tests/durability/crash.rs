//! The power fails at any moment, again and again, also while the store starts.
//!
//! What could go wrong: an acknowledged write is lost, half a transaction survives, the revision or the compact revision
//! goes back, a lease or its keys come out wrong, a deleted key is back, a watch from an old revision misses an event,
//! the index and the log tell different stories. Promised: after a cut the store is what was acknowledged or seen, then
//! some of what was under way, in order.
//!
//! `ARCHIPEL_CRASHES` says how many crashes; `ARCHIPEL_CRASH_SEED` runs one story only.

use crate::judge::{Depth, judge};
use crate::life::{Life, Possible, Tally, run};
use crate::random::Random;
use crate::site::Site;
use archipel_store::Store;
use archipel_store::disk::SimulatedDisk;

const CRASHES_DEFAULT: u64 = 5_000;
const LIVES: u64 = 5;
const STEPS_MAX: u64 = 70;
const OPERATIONS_MAX: u64 = 160;

/// One site through several crashes. An error is a broken promise.
pub(crate) fn story(seed: u64, plant: fn(&SimulatedDisk), tally: &mut Tally) -> Result<(), String> {
    let mut random = Random(seed);
    let mut site = Site::new(seed, 4_096 << random.below(3));
    plant(&site.disk);
    let mut possible = Possible::default();
    for life in 0..LIVES {
        let store = open(&mut site, &mut random, tally)?;
        let steps = random.below(STEPS_MAX);
        if !random.one_in(5) {
            site.disk.cut_after(1 + random.below(OPERATIONS_MAX));
        }
        let ended = Life::begin(&site, store.clone(), &mut possible, &mut random, tally)
            .and_then(|mut life| life.live(steps))
            .map_err(|broken| format!("life {life}: {broken}"));
        ended?;
        if random.one_in(10) {
            run(store.close());
        }
        let (begun, cleaned) = site.segments();
        tally.segments = tally.segments.max(begun);
        tally.cleaned = tally.cleaned.max(cleaned);
        tally.crashes += 1;
        end(&mut site, Some(store), &mut random);
    }
    let store = open(&mut site, &mut random, tally)?;
    possible.settle(|model| judge(&store, model, Depth::Whole)).map_err(|broken| format!("at the end: {broken}"))?;
    possible.forget_asked();
    // The log alone tells the same as the log with its index.
    let rebuilt = site.without_index().open().map_err(|error| format!("without its index: {error}"))?;
    judge(&rebuilt, possible.newest(), Depth::Whole).map_err(|broken| format!("without its index: {broken}"))
}

/// The power fails; or only the process dies, and the machine goes on.
fn end(site: &mut Site, store: Option<Store>, random: &mut Random) {
    if random.one_in(4) { site.kill(store) } else { site.crash(store, random) }
}

/// Opens the store; now and then the power fails while it does.
fn open(site: &mut Site, random: &mut Random, tally: &mut Tally) -> Result<Store, String> {
    loop {
        if random.one_in(4) {
            site.disk.cut_after(1 + random.below(14));
        }
        match site.open() {
            Ok(store) => {
                if !site.disk.is_cut() {
                    site.disk.heal();
                    return Ok(store);
                }
                end(site, Some(store), random);
            }
            Err(_) if site.disk.is_cut() => end(site, None, random),
            Err(error) => return Err(format!("does not start: {error}")),
        }
        tally.crashes += 1;
        tally.at_start += 1;
    }
}

pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|number| number.parse().expect(name))
}

#[test]
fn crashes_lose_nothing_that_was_acknowledged() {
    let mut tally = Tally::default();
    let crashes = number("ARCHIPEL_CRASHES").unwrap_or(CRASHES_DEFAULT);
    let only = number("ARCHIPEL_CRASH_SEED");
    let mut seeds = only.map_or(0..u64::MAX, |seed| seed..seed + 1);
    while let Some(seed) = seeds.next().filter(|_| tally.crashes < crashes) {
        if let Err(broken) = story(seed, |_| (), &mut tally) {
            panic!(
                "seed {seed}: {broken}\nto run only this: ARCHIPEL_CRASH_SEED={seed} cargo test -p archipel-store \
                 --test durability crashes_lose_nothing"
            );
        }
    }
    println!("{tally:?}");
    if only.is_none() {
        // A search that does not meet what it searches for proves nothing.
        assert!(tally.at_start > crashes / 50 && tally.in_maintenance > crashes / 50, "{tally:?}");
        assert!(tally.survived > crashes / 50 && tally.acknowledged > crashes * 5, "{tally:?}");
    }
}

/// How many of some stories break a promise with a planted bug of the disk.
fn noticed(plant: fn(&SimulatedDisk)) -> usize {
    (0..60).filter(|seed| story(*seed, plant, &mut Tally::default()).is_err()).count()
}

#[test]
fn a_disk_that_does_not_sync_is_noticed() {
    assert!(noticed(|disk| disk.plant_no_sync(true)) > 30);
}

#[test]
fn a_disk_that_does_not_sync_names_is_noticed() {
    assert!(noticed(|disk| disk.plant_no_sync_dir(true)) > 10);
}
