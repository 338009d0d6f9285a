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
fn only_the_oldest_segment_is_cleaned_and_only_above_what_is_allowed() {
    let mut live = LiveBytes::default();
    live.added(position(1, 64), 10);
    live.added(position(3, 64), 10);
    let segments = [info(1, 500), info(2, 500), info(3, 100)];
    // 1,100 bytes of frames for 300 live ones.
    assert_eq!(live.next_to_clean(&segments, 600), Some(1));
    assert_eq!(live.next_to_clean(&segments, 1_100), None);
    assert_eq!(live.next_to_clean(&segments[..1], 0), None, "the newest is still written");
    live.removed(position(1, 64), 10);
    assert_eq!(live.next_to_clean(&segments, 1_100), Some(1), "nothing to copy");
}
