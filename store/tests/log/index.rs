//! The index. What could go wrong: it is believed although it does not match the log. Promised: what is missing,
//! unreadable or different is said to be so, and the index is empty and usable afterwards.

use archipel_store::index::{
    Backend, Block, BlockId, IndexState, IndexWrite, Marker, MemoryIndex, Row, SledIndex, TableRow, VersionRow,
};
use archipel_store::log::{LogPoint, Position, Table};
use archipel_store::revision::Revision;
use bytes::Bytes;
use std::path::{Path, PathBuf};

/// A block of ten keys, each with one version, in a generation that lasts five batches.
fn block_row(number: u32) -> IndexWrite {
    let version = |main: i64| VersionRow {
        revision: Revision { main, sub: 0 },
        create_revision: main,
        number: 1,
        lease: 0,
        position: Position { segment: 1, offset: 64 + number, length: 10, crc: 7 },
    };
    let mut block = Block::default();
    for key in 0..10 {
        block.push(format!("/registry/pods/{:05}", number * 10 + key).as_bytes(), [version(7)].into_iter());
    }
    let id = BlockId { generation: 1, number };
    IndexWrite::Block { id, block: (!number.is_multiple_of(7)).then_some(block) }
}

fn table_row(number: i64) -> IndexWrite {
    let row =
        (number % 3 > 0).then(|| TableRow { position: Position::default(), value: Some(Bytes::from_static(b"ttl")) });
    IndexWrite::Table { table: Table::Lease, key: Bytes::from(format!("{:03}", number % 100)), row }
}

fn marker(revision: i64) -> Marker {
    Marker { point: LogPoint { segment: 1, offset: 64 }, revision, generation: 1, blocks: 900, ..Marker::default() }
}

fn fill(index: &dyn Backend, batches: i64) {
    (0..batches).for_each(|batch| apply(index, batch));
}

fn apply(index: &dyn Backend, batch: i64) {
    let writes: Vec<_> = (batch * 40..batch * 40 + 40).flat_map(|n| [block_row(n as u32), table_row(n)]).collect();
    index.apply(&writes, marker(batch)).unwrap();
}

fn load(index: &dyn Backend) -> (IndexState, Vec<String>) {
    let mut rows = Vec::new();
    let state = index.load(&mut |row| {
        if !matches!(row, Row::Marker(_)) {
            rows.push(format!("{row:?}"));
        }
    });
    (state, rows)
}

#[test]
fn sled_and_memory_hold_the_same_rows() {
    let home = tempfile::tempdir().unwrap();
    let memory = MemoryIndex::default();
    fill(&memory, 30);
    let sled = SledIndex::open(home.path()).unwrap();
    fill(&sled, 30);
    sled.sync().unwrap();
    drop(sled);
    let (state, rows) = load(&SledIndex::open(home.path()).unwrap());
    let (expected, expected_rows) = load(&memory);
    assert_eq!(state, expected);
    assert_eq!(rows, expected_rows);
    assert!(
        matches!(state, IndexState::Ready(marker) if marker.revision == 29 && marker.rows > 100 && rows.len() > 1_000)
    );
}

#[test]
fn a_new_or_deleted_index_asks_for_a_rebuild() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("index");
    for _ in 0..2 {
        let index = SledIndex::open(&dir).unwrap();
        assert!(matches!(load(&index).0, IndexState::Rebuild(reason) if reason.contains("no index")));
        fill(&index, 3);
        index.sync().unwrap();
        drop(index);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn rows_that_do_not_match_their_digest_ask_for_a_rebuild() {
    let memory = MemoryIndex::default();
    fill(&memory, 3);
    assert!(matches!(load(&memory).0, IndexState::Ready(_)));
    memory.corrupt(17);
    assert!(matches!(load(&memory).0, IndexState::Rebuild(_)));
    assert!(matches!(load(&memory).0, IndexState::Rebuild(reason) if reason.contains("no index")));
    fill(&memory, 2);
    assert!(matches!(load(&memory).0, IndexState::Ready(_)));
}

#[test]
fn a_memory_index_forgets_what_was_not_synced() {
    let memory = MemoryIndex::default();
    fill(&memory, 2);
    memory.sync().unwrap();
    fill(&memory, 5);
    memory.crash();
    assert!(matches!(load(&memory).0, IndexState::Ready(marker) if marker.revision == 1));
}

/// What could go wrong: an index that was begun anew counts before it is whole, or the old one stays on the disk.
#[test]
fn an_index_that_is_begun_anew_counts_from_its_sync_on() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("index");
    let open = || SledIndex::open(&dir).unwrap();
    let revision = |index: &SledIndex| match load(index).0 {
        IndexState::Ready(marker) => Some(marker.revision),
        IndexState::Rebuild(_) => None,
    };
    let memory = MemoryIndex::default();
    let index = open();
    fill(&index, 3);
    index.sync().unwrap();
    for round in 4..12 {
        for index in [&index as &dyn Backend, &memory] {
            index.begin().unwrap();
            fill(index, round);
            index.sync().unwrap();
        }
    }
    index.begin().unwrap();
    fill(&index, 20);
    drop(index);
    let index = open();
    assert_eq!((revision(&index), load(&index)), (Some(10), load(&memory)));
    fill(&index, 13);
    index.sync().unwrap();
    drop(index);
    assert_eq!(revision(&open()), Some(12));
    let names: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "one index and the file that names it: {names:?}");
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

#[test]
fn damage_to_any_file_of_sled_is_never_believed() {
    let home = tempfile::tempdir().unwrap();
    let clean = home.path().join("clean");
    let index = SledIndex::open(&clean).unwrap();
    fill(&index, 30);
    index.sync().unwrap();
    drop(index);
    // sled may fall back to an earlier batch, whole: its marker says which, and the log has the rest.
    let memory = MemoryIndex::default();
    let states: Vec<_> = (0..30)
        .map(|batch| {
            apply(&memory, batch);
            load(&memory)
        })
        .collect();
    let mut names = Vec::new();
    files(&clean, &mut names);
    let (mut rebuilt, mut older) = (0, 0);
    for round in 0..40_usize {
        let dir = home.path().join(format!("damaged-{round}"));
        std::fs::create_dir(&dir).unwrap();
        for path in &names {
            let to = dir.join(path.strip_prefix(&clean).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(path, to).unwrap();
        }
        let target = dir.join(names[round % names.len()].strip_prefix(&clean).unwrap());
        let mut bytes = std::fs::read(&target).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).unwrap_or(0);
        if round % 5 == 4 {
            bytes.truncate(used / 2);
        } else if let Some(byte) = bytes.get_mut(used * (round + 1) / 41) {
            *byte ^= 0x10;
        }
        std::fs::write(&target, bytes).unwrap();
        let index = SledIndex::open(&dir).unwrap();
        let (state, rows) = load(&index);
        match state {
            IndexState::Ready(marker) => {
                let (expected, expected_rows) = &states[marker.revision as usize];
                assert!(&state == expected && &rows == expected_rows, "{}", target.display());
                older += usize::from(marker.revision < 29);
            }
            IndexState::Rebuild(_) => {
                rebuilt += 1;
                fill(&index, 1);
                assert!(matches!(load(&index).0, IndexState::Ready(_)), "usable again");
            }
        }
    }
    println!("{rebuilt} of 40 rebuilt, {older} older");
    assert!(rebuilt + older > 0);
}
