//! The cache over a real log on a simulated disk.

use super::*;
use crate::disk::SimulatedDisk;
use crate::log::{Event, EventKind, Log, Options, Parts, Record};
use crate::mvcc::{Jump, Numbers};
use crate::revision::Revision;
use std::path::Path;

const VALUE_BYTES: usize = 1000;

struct Rig {
    disk: SimulatedDisk,
    parts: Parts,
    cache: Arc<ValueCache>,
    values: Values,
    versions: Vec<Version>,
}

impl Rig {
    /// A log of versions whose values are not resident.
    fn new(count: i64, bytes_max: u64) -> Rig {
        let disk = SimulatedDisk::new(1);
        let options = Options { segment_bytes: 256 << 10, prepare_ahead: false, ..Options::default() };
        let mut recovery = Log::open(Arc::new(disk.clone()), Path::new("/log"), options).unwrap();
        recovery.replay(None, &mut |_| (), &mut |_| ()).unwrap();
        let mut parts = recovery.finish().unwrap();
        let cache = ValueCache::new(bytes_max);
        let values = Values::new(cache.clone(), parts.reader.pin());
        let versions = (1..=count).map(|main| append(&mut parts, main)).collect();
        Rig { disk, parts, cache, values, versions }
    }

    fn get(&self, at: usize) -> Result<Bytes, RequestError> {
        self.values.get(&self.versions[at])
    }

    fn resident(&self) -> Vec<usize> {
        (0..self.versions.len()).filter(|at| self.versions[*at].is_resident()).collect()
    }
}

fn append(parts: &mut Parts, main: i64) -> Version {
    let revision = Revision { main, sub: 0 };
    let numbers = Numbers { revision, create_revision: 1, number: main, lease: 0 };
    let (version, kv) = Version::put(b"key", &[main as u8; VALUE_BYTES], numbers, Jump::default());
    let event = Event { key: Bytes::from_static(b"key"), revision, kind: EventKind::Put(kv) };
    let appended = parts.appender.append(&Record { events: vec![event], ..Record::default() }).unwrap();
    parts.syncer.write(parts.appender.take_batch().unwrap()).unwrap();
    version.set_position(appended.events[0]);
    version.set_resident(None);
    version
}

#[test]
fn the_bound_holds_and_what_is_read_again_stays() {
    let room = (VALUE_BYTES as u64 + 100 + VALUE_OVERHEAD_BYTES) * 4;
    let rig = Rig::new(20, room);
    for at in 0..4 {
        rig.get(at).unwrap();
    }
    assert_eq!(rig.resident(), [0, 1, 2, 3]);
    // Read once more: it gets a second chance, the others leave in the order in which they came.
    rig.get(0).unwrap();
    rig.get(4).unwrap();
    assert_eq!(rig.resident(), [0, 2, 3, 4]);
    for at in 5..20 {
        assert_eq!(rig.get(at).unwrap().len(), rig.versions[at].length() as usize);
    }
    let stats = rig.cache.stats();
    assert!(stats.resident_bytes <= room && stats.reads == 20 && stats.errors == 0, "{stats:?}");
}

#[test]
fn a_list_reads_neighbours_together_and_does_not_empty_the_cache() {
    let rig = Rig::new(100, 40_000);
    rig.get(99).unwrap();
    let kvs = rig.values.get_all(rig.versions.iter().rev()).unwrap();
    let numbers: Vec<u8> = kvs.iter().map(|kv| *kv.last().unwrap()).collect();
    assert_eq!(numbers, (1..=100).rev().collect::<Vec<u8>>());
    assert!(rig.resident().len() < 12 && rig.versions[99].is_resident(), "{:?}", rig.resident());
    assert_eq!(run_length([].iter()), 0);
    let at = |segment, offset| Position { segment, offset, length: 100, crc: 0 };
    assert_eq!(run_length([at(1, 0), at(1, 100), at(1, 200 + READ_RUN_GAP_BYTES_MAX), at(1, 90_000)].iter()), 3);
    assert_eq!(run_length([at(1, 0), at(2, 100)].iter()), 1);
    let huge = Position { length: 2 * READ_RUN_BYTES_MAX, ..at(1, 0) };
    assert_eq!(run_length([huge, at(1, huge.length)].iter()), 1);
}

#[test]
fn a_damaged_value_is_an_error_of_those_who_ask_for_it() {
    let rig = Rig::new(3, 1 << 20);
    let place = rig.versions[1].position().unwrap();
    let segment = Path::new("/log").join(format!("{:016x}.segment", place.segment));
    rig.disk.flip_bit(&segment, u64::from(place.offset) + 500, 3).unwrap();
    for _ in 0..2 {
        let error = rig.get(1).unwrap_err();
        assert!(matches!(&error, RequestError::Unreadable { revision: 2, .. }), "{error}");
        assert!(rig.values.get_all(rig.versions.iter()).is_err());
        assert!(rig.get(0).is_ok() && rig.get(2).is_ok());
    }
    assert_eq!((rig.cache.stats().errors, rig.versions[1].is_resident()), (4, false));
}

/// What could go wrong: cleaning frees a segment, its file is overwritten, and an old state reads another value in it.
#[test]
fn an_old_state_reads_what_was_moved_and_what_was_dropped_from_freed_segments() {
    let mut rig = Rig::new(1, 0);
    let old = rig.values.clone();
    let dropped = rig.versions[0].clone();
    let moved = append(&mut rig.parts, 2);
    let first = moved.position().unwrap().segment;
    assert_eq!(dropped.position().unwrap().segment, first);
    let mut main = 3;
    while rig.parts.appender.end().segment < first + 3 {
        append(&mut rig.parts, main);
        main += 1;
    }
    moved.set_position(append(&mut rig.parts, 2).position().unwrap());
    rig.parts.cleaner.free_segment(first).unwrap();
    // Both the second segment and the file of the first would be used again by now.
    while rig.parts.appender.end().segment < first + 12 {
        append(&mut rig.parts, main);
        main += 1;
        if rig.parts.appender.end().segment > first + 6 {
            let oldest = rig.parts.cleaner.segments(rig.parts.syncer.durable())[0].sequence;
            if oldest < moved.position().unwrap().segment {
                rig.parts.cleaner.free_segment(oldest).unwrap();
            }
        }
    }
    rig.parts.cleaner.free_segment(moved.position().unwrap().segment).unwrap();
    for (version, byte) in [(&dropped, 1), (&moved, 2)] {
        assert_eq!(old.get(version).unwrap().last(), Some(&byte));
    }
    let mut renewed = old.clone();
    renewed.renew_pin();
    assert!(renewed.get(&dropped).is_err(), "nothing holds it for a state that is younger");
    assert_eq!(old.get(&dropped).unwrap().last(), Some(&1));
}
