//! What loom has no types for.

pub(crate) use loom::sync::{Arc, Mutex, MutexGuard};

pub(crate) use loom::thread::ThreadId;

pub(crate) fn current_thread() -> ThreadId {
    loom::thread::current().id()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    mutex.try_lock().ok()
}

/// A pointer that is swapped whole.
#[derive(Debug)]
pub(crate) struct Cell<T>(Mutex<Arc<T>>);

impl<T> Cell<T> {
    pub(crate) fn new(value: Arc<T>) -> Cell<T> {
        Cell(Mutex::new(value))
    }

    pub(crate) fn load(&self) -> Arc<T> {
        lock(&self.0).clone()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        *lock(&self.0) = value;
    }
}

/// A number with a version, as tokio's watch channel is one.
#[derive(Debug)]
pub(crate) struct Signal(Arc<(Mutex<u64>, loom::sync::Condvar)>);

#[derive(Debug)]
pub(crate) struct Subscription {
    signal: Arc<(Mutex<u64>, loom::sync::Condvar)>,
    seen: u64,
}

impl Signal {
    pub(crate) fn new(_number: i64) -> Signal {
        Signal(Arc::new((Mutex::new(0), loom::sync::Condvar::new())))
    }

    pub(crate) fn raise(&self, _number: i64) {
        *lock(&self.0.0) += 1;
        self.0.1.notify_all();
    }

    pub(crate) fn subscribe(&self) -> Subscription {
        Subscription { signal: self.0.clone(), seen: *lock(&self.0.0) }
    }
}

impl Subscription {
    /// Waits until the signal was raised since the subscription, or since the last wait.
    pub(crate) fn changed(&mut self) {
        let (version, raised) = &*self.signal;
        let mut version = lock(version);
        while *version == self.seen {
            version = raised.wait(version).unwrap();
        }
        self.seen = *version;
    }
}
