//! Where clients write down what they see.

use crate::history::{History, Operation, Outcome, Request, Watch};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Instant,
};

/// Shared by all clients of one run.
#[derive(Debug)]
pub struct Recorder {
    began: Instant,
    history: Mutex<History>,
    /// The highest revision that any answer carried.
    revision: AtomicI64,
    /// Up to where the watch that sees everything has come.
    watched: AtomicI64,
    /// The highest compaction that was acknowledged.
    compacted: AtomicI64,
    acknowledged: AtomicU64,
}

impl Default for Recorder {
    fn default() -> Recorder {
        Recorder {
            began: Instant::now(),
            history: Mutex::default(),
            revision: AtomicI64::new(1),
            watched: AtomicI64::new(1),
            compacted: AtomicI64::new(0),
            acknowledged: AtomicU64::new(0),
        }
    }
}

impl Recorder {
    /// Nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Writes down an operation that returns now.
    pub fn operation(&self, client: usize, called_ns: u64, request: Request, outcome: Outcome) {
        let operation = Operation { client, called_ns, returned_ns: self.now_ns(), request, outcome };
        if let Some(revision) = operation.revision() {
            self.revision.fetch_max(revision, Ordering::Relaxed);
        }
        if let (Request::Compact(revision), Outcome::Done { .. }) = (&operation.request, &operation.outcome) {
            self.compacted.fetch_max(*revision, Ordering::Relaxed);
        }
        if operation.acknowledged().is_some() {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        self.history.lock().unwrap_or_else(PoisonError::into_inner).operations.push(operation);
    }

    /// Writes down a watch that has ended.
    pub fn watch(&self, watch: Watch) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).watches.push(watch);
    }

    /// The highest revision that any answer carried.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision.load(Ordering::Relaxed)
    }

    /// Up to where the watch that sees everything has come.
    #[must_use]
    pub fn watched(&self) -> i64 {
        self.watched.load(Ordering::Relaxed)
    }

    /// It has come so far.
    pub fn set_watched(&self, revision: i64) {
        self.watched.fetch_max(revision, Ordering::Relaxed);
    }

    /// The highest compaction that was acknowledged.
    #[must_use]
    pub fn compacted(&self) -> i64 {
        self.compacted.load(Ordering::Relaxed)
    }

    /// Acknowledged writes so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Everything, when all clients have ended.
    #[must_use]
    pub fn take(&self) -> History {
        let mut history = std::mem::take(&mut *self.history.lock().unwrap_or_else(PoisonError::into_inner));
        history.operations.sort_by_key(|operation| operation.called_ns);
        history
    }
}
