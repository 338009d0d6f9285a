use super::super::appender::Appended;
use super::super::point::LogPoint;
use super::*;

fn position(segment: u64, offset: u32) -> Position {
    Position { segment, offset, length: 100, crc: 0 }
}

/// Versions of even revisions live, superseded at the next one; rows of even keys live.
struct Even;

impl Liveness for Even {
    type Kept = i64;

    fn version(&self, _: &Bytes, revision: Revision, _: Position) -> Option<(i64, Option<i64>)> {
        (revision.main % 2 == 0).then_some((revision.main, Some(revision.main + 1)))
    }

    fn row(&self, _: Table, key: &Bytes, _: Position) -> bool {
        key.first().is_some_and(|byte| byte % 2 == 0)
    }
}

#[test]
fn what_is_live_is_relocated_and_nothing_else() {
    let event = |main, kind| Event { key: Bytes::from_static(b"k"), revision: Revision { main, sub: 0 }, kind };
    let put = || EventKind::Put(Bytes::from_static(b"kv"));
    let row = |key: u8, value| TableWrite { table: Table::Lease, key: Bytes::from(vec![key]), value };
    let value = || Some(Bytes::from_static(b"v"));
    let record = Record {
        events: vec![event(1, put()), event(2, put()), event(4, EventKind::Delete)],
        tables: vec![row(1, value()), row(2, value()), row(4, None)],
        compact: Some(1),
        moved: vec![
            Moved { event: event(6, put()), superseded_at: None },
            Moved { event: event(7, put()), superseded_at: None },
        ],
    };
    let places = |count: u32| (0..count).map(|at| position(1, 64 + at)).collect::<Vec<_>>();
    let appended = Appended {
        start: LogPoint::default(),
        end: LogPoint::default(),
        events: places(3),
        tables: places(3),
        moved: places(2),
    };
    let mut candidates = Candidates::default();
    candidates.add(Replayed { record: record.clone(), appended: appended.clone() }, &Even);
    let relocated = candidates.relocate(&Even).unwrap();
    let moved = |main, kind| Moved { event: event(main, kind), superseded_at: Some(main + 1) };
    let expected = Record {
        moved: vec![moved(2, put()), moved(4, EventKind::Delete), moved(6, put())],
        tables: vec![row(2, value())],
        ..Record::default()
    };
    assert_eq!((relocated.record, relocated.kept), (expected, vec![2, 4, 6]));
    let dead = Record { compact: Some(9), events: record.events[..1].to_vec(), ..Record::default() };
    let mut candidates = Candidates::default();
    candidates.add(Replayed { record: dead, appended }, &Even);
    assert!(candidates.next_batch().is_none());
}

/// What died between the two looks.
struct Dead;

impl Liveness for Dead {
    type Kept = ();

    fn version(&self, _: &Bytes, _: Revision, _: Position) -> Option<((), Option<i64>)> {
        None
    }

    fn row(&self, _: Table, _: &Bytes, _: Position) -> bool {
        false
    }
}

#[test]
fn a_batch_is_bounded_by_pieces_and_by_bytes() {
    for (bytes, pieces) in [(10, CLEANING_BATCH_PIECES), (CLEANING_BATCH_BYTES / 4, 4), (CLEANING_BATCH_BYTES * 2, 1)] {
        let put = |sub| Event {
            key: Bytes::from_static(b"k"),
            revision: Revision { main: 2, sub },
            kind: EventKind::Put(vec![0; bytes].into()),
        };
        let count = 2 * CLEANING_BATCH_PIECES as i64 + 1;
        let record = Record { events: (0..count).map(put).collect(), ..Record::default() };
        let events = vec![position(1, 64); count as usize];
        let mut candidates = Candidates::default();
        candidates.add(Replayed { record, appended: Appended { events, ..Appended::default() } }, &Even);
        assert!(candidates.is_full());
        let batches: Vec<Candidates> = std::iter::from_fn(|| candidates.next_batch()).collect();
        assert_eq!(batches[0].pieces.len(), pieces, "{bytes} bytes");
        assert_eq!(batches.iter().map(|batch| batch.pieces.len()).sum::<usize>(), count as usize);
        assert!(batches.into_iter().all(|batch| batch.relocate(&Dead).is_none()));
    }
}
