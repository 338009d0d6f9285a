//! The one place from which locks, atomics, shared pointers and threads come.
//!
//! The two protocols in which an interleaving could lose something, `sequencer::queue` (hand-over to the log writer and
//! wake-up) and `watch::publication` (a watcher's registration), name only `super::sync`. `tests/loom.rs` includes
//! the same source files over loom's types, so that every interleaving of the real code is tried in an ordinary
//! `cargo test`.
//!
//! # Lock order
//! The sequencer's writer, then `CommitQueue` (held by the evaluator), then `Completion`. Lease deadlines and the emit
//! seam live inside the evaluator. Only the writer's lock is held while the disk is waited for, and only by who took
//! the batch: nobody waits for it.

use std::sync::TryLockError;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
pub(crate) use std::thread;
pub(crate) use std::thread::ThreadId;

/// The thread that this runs on.
pub(crate) fn current_thread() -> ThreadId {
    thread::current().id()
}

/// Locks a mutex. A poisoned one means that a thread panicked inside the critical section: the state may be half
/// changed, and the only safe answer is to stop this thread as well.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("invariant: no thread panics while it holds a lock of the store")
}

/// Locks a mutex if nobody has it. See [`lock`] for poisoning.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::WouldBlock) => None,
        Err(TryLockError::Poisoned(_)) => panic!("invariant: no thread panics while it holds a lock of the store"),
    }
}

/// Waits on a condition. See [`lock`] for poisoning.
pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).expect("invariant: no thread panics while it holds a lock of the store")
}

/// A shared pointer that readers load without a lock.
#[derive(Debug)]
pub(crate) struct Cell<T>(arc_swap::ArcSwap<T>);

impl<T> Cell<T> {
    pub(crate) fn new(value: Arc<T>) -> Cell<T> {
        Cell(arc_swap::ArcSwap::new(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        self.0.load_full()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        self.0.store(value);
    }
}

/// A number that tells those who wait when it was raised.
#[derive(Debug)]
pub(crate) struct Signal(tokio::sync::watch::Sender<i64>);

/// One who waits for a [`Signal`].
pub(crate) type Subscription = tokio::sync::watch::Receiver<i64>;

impl Signal {
    pub(crate) fn new(number: i64) -> Signal {
        Signal(tokio::sync::watch::Sender::new(number))
    }

    pub(crate) fn raise(&self, number: i64) {
        self.0.send_replace(number);
    }

    pub(crate) fn subscribe(&self) -> Subscription {
        self.0.subscribe()
    }
}
