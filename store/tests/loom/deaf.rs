//! The same sources over a condition variable that wakes nobody by `notify_one`.

mod sync {
    pub(crate) use crate::shims::{Arc, Mutex, MutexGuard, ThreadId, current_thread, lock, try_lock};

    #[derive(Debug)]
    pub(crate) struct Condvar(loom::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Condvar {
            Condvar(loom::sync::Condvar::new())
        }

        pub(crate) fn notify_one(&self) {}

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        condition.0.wait(guard).unwrap()
    }
}

#[path = "../../src/sequencer/completion.rs"]
pub(crate) mod completion;
#[path = "../../src/sequencer/queue.rs"]
pub(crate) mod queue;
