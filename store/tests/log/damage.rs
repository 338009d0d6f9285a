//! Bytes change on the disk. What could go wrong: an honest torn tail keeps the site from starting, or damage in the
//! middle of the log is taken for one, and acknowledged records behind it vanish without a word. Promised: the rest of
//! the last batch is cut; anything else stops the start and says where.

use crate::rig::{self, Random, Site, replay, segment_path, written};
use archipel_store::log::{OpenError, ReadError, Replayed};

fn records(site: &Site) -> usize {
    site.memory.records.len()
}

/// The log holds exactly the first `count` of what was appended.
fn assert_prefix(site: &Site, found: &[Replayed], count: usize, context: &str) {
    assert_eq!(found.len(), count, "{context}");
    for (replayed, (record, appended)) in found.iter().zip(&site.memory.records) {
        assert_eq!((&replayed.record, &replayed.appended), (record, appended), "{context}");
    }
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_three_records_is_cut() {
    let site = written(64 << 10, 30, 1, false);
    let last_three = records(&site) - 3;
    let (begin, end) = (site.memory.records[last_three].1.start, site.memory.records[records(&site) - 1].1.end);
    assert_eq!(begin.segment, end.segment);
    let path = segment_path(begin.segment);
    let mut random = Random(5);
    for cut in begin.offset..=end.offset {
        let whole = site.memory.records.iter().filter(|(_, at)| at.end.offset <= cut).count();
        for garbage in [false, true] {
            let image = site.disk.image();
            let byte = || if garbage { random.next() as u8 | 1 } else { 0 };
            image.overwrite_from(&path, u64::from(cut), byte).unwrap();
            let (recovery, summary, found) = replay(&image, &site.options).expect("a torn tail is no damage");
            // A record is whole without its padding (at most 7 bytes), and the payload's last bytes may be zeros of its own.
            let spare = if garbage { 8 } else { 16 };
            let almost = site.memory.records.get(whole).is_some_and(|(_, at)| cut + spare > at.end.offset);
            assert!(found.len() == whole || found.len() == whole + 1 && almost, "cut at {cut}");
            assert_prefix(&site, &found, found.len(), &format!("cut at {cut}"));
            let half = found.len() < records(&site) && cut >= summary.end.offset + 8;
            assert!(summary.torn.is_some() || !garbage && !half, "cut at {cut}: not reported");
            recovery.finish().expect("goes on behind the cut");
            let (_, _, again) = replay(&image.image(), &site.options).expect("opens again");
            assert_eq!(again, found);
        }
    }
}

#[test]
fn a_bit_that_flips_at_rest_never_goes_unnoticed() {
    let site = written(8 << 10, 60, 2, true);
    let (_, _, before) = replay(&site.disk.image(), &site.options).unwrap();
    let segments: Vec<u64> = (1..=before.last().unwrap().appended.end.segment).collect();
    let (mut stopped, mut unused) = (0, 0);
    let mut random = Random(3);
    for _ in 0..10_000 {
        let sequence = segments[random.below(segments.len() as u64) as usize];
        let image = site.disk.image();
        let offset = random.below(u64::from(site.options.segment_bytes));
        if image.flip_bit(&segment_path(sequence), offset, random.next() as u8).is_err() {
            continue;
        }
        match replay(&image, &site.options) {
            Ok((_, _, found)) => {
                assert_eq!(found, before, "segment {sequence} offset {offset}: a wrong answer");
                unused += 1;
            }
            Err(OpenError::Damaged { .. } | OpenError::Foreign { .. } | OpenError::Missing { .. }) => stopped += 1,
            Err(other) => panic!("segment {sequence} offset {offset}: {other}"),
        }
    }
    assert!(stopped > unused, "{stopped} stopped, {unused} hit unused bytes");
}

/// The last record of a site that was killed: nothing lies behind it that proves it durable.
#[test]
fn a_bit_that_flips_in_the_last_record_is_turned_back() {
    let site = written(64 << 10, 30, 1, false);
    let (_, last) = site.memory.records.last().unwrap().clone();
    for offset in last.start.offset..last.end.offset - 8 {
        let image = site.disk.image();
        image.flip_bit(&segment_path(last.start.segment), u64::from(offset), offset as u8).unwrap();
        let (recovery, summary, found) = replay(&image, &site.options).unwrap();
        assert_prefix(&site, &found, records(&site), &format!("offset {offset}"));
        assert_eq!((summary.torn, summary.mended.map(|flip| flip.at.offset)), (None, Some(offset)));
        let parts = recovery.finish().unwrap();
        let last = found.last().unwrap();
        rig::check_positions(last, &|at| parts.reader.read(at).map_err(|error| error.to_string())).unwrap();
        drop(parts);
        let (_, summary, _) = replay(&image.image(), &site.options).unwrap();
        assert_eq!(summary.mended, None, "the disk has it");
    }
}

#[test]
fn damage_names_the_segment_the_place_and_what_to_do() {
    let site = written(64 << 10, 20, 4, false);
    let hit = site.memory.records[7].1.clone();
    site.disk.flip_bit(&segment_path(hit.start.segment), u64::from(hit.start.offset) + 30, 0).unwrap();
    let error = replay(&site.disk, &site.options).expect_err("damage before a valid record");
    let text = error.to_string();
    let OpenError::Damaged { path, offset, .. } = error else { panic!("{text}") };
    assert_eq!((path, offset), (segment_path(hit.start.segment), hit.start.offset));
    assert!(text.contains("restore this site"), "{text}");
}

#[test]
fn a_value_that_rots_while_the_site_runs_is_not_served() {
    let site = written(64 << 10, 20, 4, false);
    let (recovery, _, found) = replay(&site.disk, &site.options).unwrap();
    let parts = recovery.finish().unwrap();
    let at = found.iter().flat_map(|replayed| &replayed.appended.events).find(|at| at.length > 10).unwrap();
    assert!(parts.reader.read(*at).is_ok());
    site.disk.flip_bit(&segment_path(at.segment), u64::from(at.offset) + 5, 3).unwrap();
    assert!(matches!(parts.reader.read(*at), Err(ReadError::Damaged(damaged)) if damaged == *at));
}

#[test]
fn a_missing_segment_in_the_middle_stops_the_start() {
    use archipel_store::disk::Disk;
    let site = written(4 << 10, 60, 6, false);
    site.disk.remove(&segment_path(2)).unwrap();
    let error = replay(&site.disk, &site.options).expect_err("a hole");
    assert!(matches!(error, OpenError::Missing { sequence: 2, .. }), "{error}");
}

/// A log without its first segments looks like one that was cleaned.
#[test]
fn the_loss_of_the_oldest_segments_stops_the_start() {
    use archipel_store::disk::Disk;
    let mut site = written(4 << 10, 60, 6, false);
    site.open().unwrap();
    assert!(site.free() && site.free());
    site.crash();
    replay(&site.disk, &site.options).expect("what cleaning freed is not missed");
    let newest = site.memory.records.last().unwrap().1.start.segment;
    for sequence in 3..=newest {
        site.disk.remove(&segment_path(sequence)).unwrap();
        let error = replay(&site.disk, &site.options).expect_err("the oldest is gone");
        assert!(matches!(error, OpenError::Missing { sequence: 3, .. }), "{error}");
    }
}

#[test]
fn the_newest_segment_without_its_header_is_damage_if_it_was_durable() {
    let site = written(4 << 10, 60, 6, false);
    let newest = site.memory.records.last().unwrap().1.start.segment;
    site.disk.flip_bit(&segment_path(newest), 20, 0).unwrap();
    let error = replay(&site.disk, &site.options).expect_err("durable records behind a broken header");
    assert!(matches!(error, OpenError::Damaged { offset: 0, .. }), "{error}");
}

#[test]
fn replay_starts_at_any_record_edge_and_nowhere_else() {
    let site = written(4 << 10, 60, 7, false);
    let (mut recovery, _, found) = replay(&site.disk, &site.options).unwrap();
    for (index, replayed) in found.iter().enumerate().step_by(7) {
        let mut rest = Vec::new();
        let from = replayed.appended.end;
        recovery.replay(Some(from), &mut |_| (), &mut |replayed| rest.push(replayed)).unwrap();
        assert_eq!(rest, found[index + 1..]);
        let between = rig::point(from.segment, from.offset + 1);
        let error = recovery.replay(Some(between), &mut |_| (), &mut |_| ()).expect_err("no edge");
        assert!(matches!(error, OpenError::NoSuchPoint(point) if point == between), "{error}");
    }
    let beyond = rig::point(1 << 40, 64);
    assert!(matches!(recovery.replay(Some(beyond), &mut |_| (), &mut |_| ()), Err(OpenError::NoSuchPoint(_))));
}

/// Records larger than what recovery reads at once.
#[test]
fn damage_in_large_records_is_found_too() {
    use archipel_store::log::{Event, EventKind, Record};
    use archipel_store::revision::Revision;
    let mut random = Random(8);
    let mut site = Site::new(archipel_store::disk::SimulatedDisk::new(8), rig::options(16 << 20));
    site.open().unwrap();
    let parts = site.parts.as_mut().unwrap();
    for main in 1..=12 {
        let kind = EventKind::Put(random.bytes((3 << 19) + main as u64));
        let event = Event { key: random.bytes(9), revision: Revision { main, sub: 0 }, kind };
        let record = Record { events: vec![event], ..Record::default() };
        let appended = parts.appender.append(&record).unwrap();
        parts.syncer.write(parts.appender.take_batch().unwrap()).unwrap();
        site.memory.records.push((record, appended));
    }
    site.parts = None;
    let (_, _, found) = replay(&site.disk.image(), &site.options).unwrap();
    assert_prefix(&site, &found, 12, "whole");
    let newest = site.memory.records.last().unwrap().1.start.segment;
    let last = site.memory.records.iter().filter(|(_, at)| at.start.segment == newest).rev().skip(1);
    for (_, at) in last {
        let image = site.disk.image();
        image.flip_bit(&segment_path(newest), u64::from(at.start.offset) + 70_000, 2).unwrap();
        let error = replay(&image, &site.options).expect_err("damage before a valid record");
        assert!(matches!(error, OpenError::Damaged { offset, .. } if offset == at.start.offset), "{error}");
    }
}
