//! The store's sources over loom's types.

mod sync {
    pub(crate) use crate::shims::{
        Arc, Cell, Mutex, MutexGuard, Signal, Subscription, ThreadId, current_thread, lock, try_lock,
    };
    pub(crate) use loom::sync::Condvar;

    pub(crate) fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        condition.wait(guard).unwrap()
    }
}

#[path = "../../src/sequencer/completion.rs"]
pub(crate) mod completion;
#[path = "../../src/watch/publication.rs"]
pub(crate) mod publication;
#[path = "../../src/sequencer/queue.rs"]
pub(crate) mod queue;
