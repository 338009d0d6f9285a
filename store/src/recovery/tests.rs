use super::*;

fn put(main: i64, superseded_at: i64) -> Found {
    let position = Position { length: 1, ..Position::default() };
    let numbers = Numbers { revision: Revision { main, sub: 0 }, create_revision: main, number: 1, lease: 0 };
    let version = Version::stored(b"key", numbers, position);
    Found { version, is_gone: false, superseded_at, source: IN_LOG }
}

fn kept(compact_revision: i64, mut found: Vec<Found>) -> Vec<i64> {
    let mut kept = Vec::new();
    keep_of_key(&mut found, compact_revision, &mut kept);
    kept.iter().map(|version| version.revision().main).collect()
}

/// A key is deleted at 104, its older version is copied by cleaning, both are compacted, the deletion's segment is freed,
/// and the key is written again: at 126 it does not exist. Found by the crash programme (a start without the index).
#[test]
fn a_deleted_version_is_not_back_when_its_key_is_written_again() {
    assert_eq!(kept(126, vec![put(92, 104), put(151, 0)]), [151]);
    assert_eq!(kept(103, vec![put(92, 104), put(151, 0)]), [92, 151], "not compacted yet");
    assert_eq!(kept(126, vec![put(92, 0), put(151, 0)]), [92, 151], "nothing came between");
}
