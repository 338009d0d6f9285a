use super::super::appender::Appended;
use super::super::point::LogPoint;
use super::super::record::EventKind;
use super::*;

fn position(segment: u64, offset: u32) -> Position {
    Position { segment, offset, length: 100, crc: 0 }
}

fn info(sequence: u64, end: u32) -> SegmentInfo {
    SegmentInfo { sequence, capacity: 1000, end }
}

#[test]
fn live_bytes_are_a_plain_sum() {
    let mut live = LiveBytes::default();
    live.added(position(1, 64), 10);
    live.added(position(2, 64), 10);
    live.added(position(2, 264), 10);
    assert_eq!((live.of(1), live.of(2), live.total()), (150, 300, 450));
    live.removed(position(2, 64), 10);
    live.removed(position(1, 64), 10);
    assert_eq!((live.of(1), live.of(2), live.total()), (0, 150, 150));
}

#[test]
fn only_the_oldest_segment_is_cleaned_and_only_above_the_factor() {
    let mut live = LiveBytes::default();
    live.added(position(1, 64), 10);
    live.added(position(3, 64), 10);
    let segments = [info(1, 500), info(2, 500), info(3, 100)];
    // 1,100 bytes of frames for 300 live ones.
    assert_eq!(live.next_to_clean(&segments, 200, 0), Some(1));
    assert_eq!(live.next_to_clean(&segments, 200, 500), None);
    assert_eq!(live.next_to_clean(&segments, 400, 0), None);
    assert_eq!(live.next_to_clean(&segments[..1], 100, 0), None, "the newest is still written");
    live.removed(position(1, 64), 10);
    assert_eq!(live.next_to_clean(&segments, 400, 500), Some(1), "nothing to copy");
}

/// Versions of even revisions live, superseded at the next one; rows of even keys live.
struct Even;

impl Liveness for Even {
    fn version(&self, _: &Bytes, revision: Revision, _: Position) -> Option<Option<i64>> {
        (revision.main % 2 == 0).then_some(Some(revision.main + 1))
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
    let relocated = relocate(Replayed { record: record.clone(), appended: appended.clone() }, &Even).unwrap();
    let moved = |main, kind| Moved { event: event(main, kind), superseded_at: Some(main + 1) };
    let expected = Record {
        moved: vec![moved(2, put()), moved(4, EventKind::Delete), moved(6, put())],
        tables: vec![row(2, value())],
        ..Record::default()
    };
    assert_eq!(relocated, expected);
    let dead = Record { compact: Some(9), events: record.events[..1].to_vec(), ..Record::default() };
    assert_eq!(relocate(Replayed { record: dead, appended }, &Even), None);
}
