//! The emit seam and the bounds of the queue, on a store whose disk is simulated.

use super::{Commit, Emit};
use crate::clock::ManualClock;
use crate::disk::SimulatedDisk;
use crate::error::RequestError;
use crate::index::MemoryIndex;
use crate::log::Table;
use crate::mvcc::PutRequest;
use crate::sync::{Arc, Mutex, lock};
use crate::{Config, Store};
use bytes::Bytes;

fn open() -> Store {
    let config = Config { background: false, segment_bytes: 64 << 10, ..Config::new("/site", "nantes") };
    let disk = Arc::new(SimulatedDisk::new(1));
    Store::open_on(config, disk, Arc::new(ManualClock::at(1)), Arc::new(MemoryIndex::default())).unwrap()
}

fn put(key: &'static str, value: Vec<u8>) -> PutRequest {
    PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Refuses keys that begin with x; writes an entry beside every other change; notes what was refused after all.
struct Shares(Arc<Mutex<usize>>);

impl Emit for Shares {
    fn emit(&mut self, commit: &mut Commit<'_>) -> Result<(), RequestError> {
        for change in commit.changes() {
            let key = Bytes::from(format!("{}@{}", String::from_utf8_lossy(&change.key), change.revision));
            let what = (change.old.is_some(), change.new.is_some());
            commit.table_put(Table::Conflict, key, Bytes::from(format!("{what:?}")));
            if change.key.starts_with(b"x") {
                return Err(RequestError::ShareForbids("x is held elsewhere".into()));
            }
        }
        Ok(())
    }

    fn refused(&mut self) {
        *lock(&self.0) += 1;
    }
}

#[test]
fn the_emit_seam_is_part_of_the_same_record() {
    let store = open();
    let refusals = Arc::new(Mutex::new(0));
    store.sequencer().with(|evaluator| evaluator.set_emit(Box::new(Shares(refusals.clone()))));
    run(store.put(put("a", b"1".to_vec()))).unwrap();
    let refused = run(store.put(put("x", b"1".to_vec())));
    assert_eq!(refused, Err(RequestError::ShareForbids("x is held elsewhere".into())));
    assert_eq!((store.revision(), store.view().get(b"x")), (2, Ok(None)));
    // The seam does not see what a merge writes.
    let merged = store.commit(|commit| commit.put(&Bytes::from_static(b"x"), b"from rennes", 0));
    merged.unwrap().1.wait().unwrap();
    let delete = crate::mvcc::DeleteRangeRequest { key: "a".into(), ..Default::default() };
    run(store.delete_range(delete)).unwrap();
    let rows = store.view().rows(Table::Conflict, b"");
    let expected: [(Bytes, Bytes); 2] =
        [("a@2".into(), "(false, true)".into()), ("a@4".into(), "(true, false)".into())];
    assert_eq!((rows, *lock(&refusals)), (expected.to_vec(), 0));
}

/// A record that the log does not take is taken back, whatever was evaluated already.
#[test]
fn a_record_that_is_too_large_changes_nothing() {
    let store = open();
    let refusals = Arc::new(Mutex::new(0));
    store.sequencer().with(|evaluator| evaluator.set_emit(Box::new(Shares(refusals.clone()))));
    run(store.put(put("a", b"1".to_vec()))).unwrap();
    let huge = crate::limits::FRAME_PAYLOAD_BYTES_MAX as usize + 1;
    let refused = run(store.put(put("a", vec![0; huge])));
    assert!(matches!(refused, Err(RequestError::TooLarge(_))), "{refused:?}");
    assert_eq!((store.revision(), *lock(&refusals)), (2, 1));
    assert_eq!(run(store.put(put("a", b"2".to_vec()))).map(|(revision, _)| revision), Ok(3));
    assert_eq!(store.view().rows(Table::Conflict, b"").len(), 2);
}

/// More commits than the writer may owe are refused; later ones are taken again.
#[test]
fn the_backlog_is_bounded() {
    let store = open();
    let commit = |at: usize| {
        store.commit(|commit| {
            commit.table_put(Table::Conflict, at.to_string().into(), Bytes::new());
            Ok::<_, RequestError>(())
        })
    };
    // The writer may take a batch between two commits, but never between a look and the refusal: 20 batches' worth of
    // commits either meet the bound or are all written.
    let (mut last, mut refused) = (None, 0);
    for at in 0..20 * crate::limits::COMMIT_BACKLOG_MAX {
        match commit(at) {
            Ok(((), ticket)) => last = Some(ticket),
            Err(error) => {
                assert_eq!(error, RequestError::TooManyRequests);
                refused += 1;
            }
        }
    }
    last.unwrap().wait().unwrap();
    let written = store.view().rows(Table::Conflict, b"").len();
    assert_eq!(written + refused, 20 * crate::limits::COMMIT_BACKLOG_MAX);
    commit(0).unwrap().1.wait().unwrap();
}
