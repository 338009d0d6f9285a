//! The published state and the signal that there is a new one.
//!
//! # Protocol
//! The log writer stores the state first and raises the signal second. A watcher subscribes first and loads second,
//! and waits only after a load that showed nothing new. So whatever a load did not see raises the signal after the
//! subscription: no gap. The cursor, not the signal, decides what is new: no duplicate.

use super::sync::{Arc, Cell, Signal, Subscription};

/// See the module. One a store.
#[derive(Debug)]
pub(crate) struct Publication<S> {
    current: Cell<S>,
    signal: Signal,
}

impl<S> Publication<S> {
    pub(crate) fn new(state: S, revision: i64) -> Publication<S> {
        Publication { current: Cell::new(Arc::new(state)), signal: Signal::new(revision) }
    }

    /// Makes a durable state visible, then wakes whoever waits.
    pub(crate) fn publish(&self, state: S, revision: i64) {
        self.current.store(Arc::new(state));
        self.signal.raise(revision);
    }

    /// The published state.
    pub(crate) fn load(&self) -> Arc<S> {
        self.current.load()
    }

    /// To be taken before the load whose outcome decides to wait.
    pub(crate) fn subscribe(&self) -> Subscription {
        self.signal.subscribe()
    }
}
