//! The power fails, or the process dies, at every single operation of the disk and the index within one kind of work:
//! rotation, compaction, checkpoint, cleaning, a snapshot that is being read. What could go wrong: each of them changes
//! several files, and a state between two of them is one that nobody thought of. Promised: as for any crash; and a state
//! that a snapshot holds is right to the end, whatever happens below it.

use crate::judge::{Depth, Follower, judge, judge_view, watch_request};
use crate::life::{Life, Possible, Tally, run};
use crate::random::Random;
use crate::site::Site;
use archipel_store::Store;
use archipel_store::mvcc::{Op, PutRequest};
use bytes::Bytes;

const SITES: u64 = 3;

/// The work; false if the disk failed in it.
type Work = fn(&mut Life<'_>) -> Result<bool, String>;

/// A site with some history, at rest; and what it must show.
fn prepared(seed: u64, segment_bytes: u32) -> (Site, Possible) {
    let (mut site, mut random) = (Site::new(seed, segment_bytes), Random(seed));
    let (mut possible, mut tally) = (Possible::default(), Tally::default());
    let store = site.open().unwrap();
    Life::begin(&site, store.clone(), &mut possible, &mut random, &mut tally).unwrap().live(60).unwrap();
    site.crash(Some(store), &mut random);
    (site, possible)
}

/// Does the work on images of some sites, cut at the first operation, at the second, and so on to its end.
fn cut_at_every_operation(name: &str, segment_bytes: u32, operations_min: u64, work: Work) {
    let mut operations = 0;
    for seed in 0..SITES {
        let (prepared, possible) = prepared(seed, segment_bytes);
        for only_process in [false, true] {
            for at in 1.. {
                let mut site = Site::on(prepared.disk.image(), prepared.index.image(), segment_bytes);
                let mut random = Random(seed << 32 | at);
                match cut_at(&mut site, possible.clone(), &mut random, at, only_process, work) {
                    Ok(true) => operations += 1,
                    Ok(false) => break,
                    Err(broken) => panic!("{name}, site {seed}, operation {at}, process {only_process}: {broken}"),
                }
            }
        }
    }
    println!("{name}: cut at {operations} operations");
    assert!(operations >= operations_min, "{name}: only {operations} operations");
}

/// One of them. Says whether the work was cut.
fn cut_at(
    site: &mut Site,
    mut possible: Possible,
    random: &mut Random,
    at: u64,
    only_process: bool,
    work: Work,
) -> Result<bool, String> {
    let mut tally = Tally::default();
    let store = open(site, "before")?;
    let mut life = Life::begin(site, store.clone(), &mut possible, random, &mut tally)?;
    site.disk.cut_after(at);
    let done = work(&mut life)?;
    let cut = site.disk.is_cut();
    if done == cut && !cut {
        return Err("the work failed without a cut".into());
    }
    life.judge_stopped()?;
    if let Some((view, model)) = life.pinned.take() {
        judge_view(&view, &model, Depth::Whole).map_err(|broken| format!("the pinned state: {broken}"))?;
    }
    drop(life);
    if only_process {
        site.kill(Some(store))
    } else {
        site.crash(Some(store), random)
    }
    // The work is taken up again, and its outcome survives a power cut, too.
    let store = open(site, "after")?;
    let mut life = Life::begin(site, store.clone(), &mut possible, random, &mut tally)?;
    if !work(&mut life)? {
        return Err("the work fails when it is done again".into());
    }
    drop(life);
    site.crash(Some(store), random);
    let store = open(site, "at the end")?;
    possible.settle(|model| judge(&store, model, Depth::Whole)).map(|()| cut)
}

fn open(site: &Site, when: &str) -> Result<Store, String> {
    site.open().map_err(|error| format!("{when}: does not start: {error}"))
}

/// Records that fill several segments.
fn fill(life: &mut Life<'_>) -> Result<bool, String> {
    for number in 0..8_u8 {
        let (key, value) = (Bytes::from(vec![b'r', b'0' + number % 3]), Bytes::from(vec![number; 1_300]));
        let put = PutRequest { key, value, ..PutRequest::default() };
        life.possible.ask(|model| model.change(&[Op::Put(put.clone())]));
        let outcome = run(life.store.put(put));
        if life.outcome(outcome)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn compact(life: &mut Life<'_>) -> Result<bool, String> {
    let model = life.possible.newest();
    let revision = model.revision - 1;
    if revision <= model.compact_revision {
        return Ok(true);
    }
    life.possible.ask(|model| model.compact(revision));
    let outcome = run(life.store.compact(revision, true));
    Ok(life.outcome(outcome)?.is_some())
}

#[test]
fn a_cut_in_rotation() {
    cut_at_every_operation("rotation", 4_096, 150, fill);
}

#[test]
fn a_cut_in_compaction() {
    cut_at_every_operation("compaction", 4_096, 50, |life| Ok(fill(life)? && compact(life)? && fill(life)?));
}

/// Segments so large that nothing is cleaned.
#[test]
fn a_cut_in_a_checkpoint() {
    cut_at_every_operation("checkpoint", 256 << 10, 12, |life| life.maintain());
}

#[test]
fn a_cut_in_cleaning() {
    cut_at_every_operation("cleaning", 4_096, 200, |life| {
        let (_, before) = life.site.segments();
        // Each makes enough garbage for the next: the copies, the checkpoints and the freed files of several rounds.
        for _ in 0..2 {
            if !fill(life)? || !compact(life)? || !life.maintain()? {
                return Ok(false);
            }
        }
        let (_, after) = life.site.segments();
        if after > before { Ok(true) } else { Err("nothing was cleaned".into()) }
    });
}

/// A snapshot is read piece by piece while what it shows is compacted and cleaned away.
#[test]
fn a_cut_while_a_snapshot_is_read() {
    cut_at_every_operation("snapshot", 4_096, 200, |life| {
        let (view, model) = (life.store.view(), life.possible.newest().clone());
        life.pinned = Some((view.clone(), model.clone()));
        let start = model.compact_revision.max(1);
        let mut reader = Follower::new(view.watch(watch_request(start)), start);
        for _ in 0..2 {
            if !fill(life)? || !compact(life)? || !life.maintain()? {
                return Ok(false);
            }
        }
        reader.follow(&model, 200)?;
        reader.arrived(&model)?;
        Ok(true)
    });
}
