//! The beat of a background thread: every so often, at once when poked, and until it is stopped.

use crate::sync::{Condvar, Mutex, lock};
use std::time::Duration;

/// See the module. Shared by the thread and whoever pokes or stops it.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    poked: bool,
    stopped: bool,
}

impl Pulse {
    /// Waits for the next beat. False when the thread has to end.
    pub(crate) fn next(&self, interval: Duration) -> bool {
        let state = lock(&self.state);
        let waited = self.changed.wait_timeout_while(state, interval, |state| !state.poked && !state.stopped);
        let (mut state, _) = waited.expect("invariant: no thread panics while it holds a lock of the store");
        state.poked = false;
        !state.stopped
    }

    /// Brings the next beat forward.
    pub(crate) fn poke(&self) {
        lock(&self.state).poked = true;
        self.changed.notify_all();
    }

    /// Whether the thread is to end: it may be asked in the middle of a long beat.
    pub(crate) fn is_stopped(&self) -> bool {
        lock(&self.state).stopped
    }

    /// Ends the thread at its next beat, which is now.
    pub(crate) fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }
}
