//! The hand-over from the evaluator to the log writer.
//!
//! # Protocol
//! One mutex holds the evaluator's state and the batch that is being filled. Whoever commits evaluates under it, counts
//! itself into the batch and leaves with the batch's completion. The writer takes the whole batch under the same mutex,
//! leaves it, makes the batch durable, publishes, and completes: in this order. There is no timer: while the
//! writer is busy the next batch fills.
//!
//! The writer sleeps only when the batch is empty, and whoever makes it non-empty notifies: no wake-up is lost.

use super::completion::{Completion, Stopped};
use super::sync::{Arc, Condvar, Mutex, MutexGuard, lock, wait};
use std::ops::{Deref, DerefMut};

/// See the module.
#[derive(Debug)]
pub(crate) struct CommitQueue<T> {
    shared: Mutex<Shared<T>>,
    work: Condvar,
}

#[derive(Debug)]
struct Shared<T> {
    state: T,
    /// Completion of the batch that is being filled.
    open: Arc<Completion>,
    /// Commits in it.
    commits: usize,
    /// Completion of the batch that the writer took last.
    in_flight: Option<Arc<Completion>>,
    /// The state changed in a way that only has to be published.
    nudged: bool,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Running,
    /// Nothing enters; the writer drains what is there.
    Closing,
    /// Nothing enters, nothing is acknowledged.
    Stopped(Stopped),
}

/// The evaluator's lock, held.
#[derive(Debug)]
pub(crate) struct Entered<'a, T> {
    shared: MutexGuard<'a, Shared<T>>,
    work: &'a Condvar,
}

impl<T> CommitQueue<T> {
    pub(crate) fn new(state: T) -> CommitQueue<T> {
        let shared = Shared {
            state,
            open: Completion::new(),
            commits: 0,
            in_flight: None,
            nudged: false,
            phase: Phase::Running,
        };
        CommitQueue { shared: Mutex::new(shared), work: Condvar::new() }
    }

    /// Takes the evaluator's lock.
    ///
    /// # Errors
    /// The log failed, or the store is closed.
    pub(crate) fn enter(&self) -> Result<Entered<'_, T>, Stopped> {
        let shared = lock(&self.shared);
        match &shared.phase {
            Phase::Running => Ok(Entered { shared, work: &self.work }),
            Phase::Closing => Err(Stopped("the store is closed".into())),
            Phase::Stopped(stopped) => Err(stopped.clone()),
        }
    }

    /// Looks at the evaluator's state, also when nothing enters any more.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut lock(&self.shared).state)
    }

    /// Lets nothing enter any more; the writer ends when it has drained the batch.
    pub(crate) fn close(&self) {
        let mut shared = lock(&self.shared);
        if matches!(shared.phase, Phase::Running) {
            shared.phase = Phase::Closing;
        }
        drop(shared);
        self.work.notify_one();
    }

    /// For the writer: waits for work and takes it. `seal` turns the state into what has to be written and published.
    /// None when the queue is closed and drained, or stopped. The completion is the writer's to complete.
    pub(crate) fn next<B>(&self, seal: impl FnOnce(&mut T) -> B) -> Option<(B, Arc<Completion>)> {
        let mut shared = lock(&self.shared);
        loop {
            if matches!(shared.phase, Phase::Stopped(_)) {
                return None;
            }
            if shared.commits > 0 || shared.nudged {
                break;
            }
            if matches!(shared.phase, Phase::Closing) {
                return None;
            }
            shared = wait(&self.work, shared);
        }
        shared.commits = 0;
        shared.nudged = false;
        let taken = std::mem::replace(&mut shared.open, Completion::new());
        shared.in_flight = Some(taken.clone());
        Some((seal(&mut shared.state), taken))
    }

    /// For the writer: the log failed. Whoever waits and whoever comes later is refused.
    pub(crate) fn stop(&self, stopped: Stopped) {
        let mut shared = lock(&self.shared);
        shared.phase = Phase::Stopped(stopped.clone());
        let open = shared.open.clone();
        let in_flight = shared.in_flight.take();
        drop(shared);
        for completion in in_flight.into_iter().chain([open]) {
            completion.complete(Err(stopped.clone()));
        }
    }
}

impl<T> Entered<'_, T> {
    /// Commits that wait for the writer.
    pub(crate) fn commits(&self) -> usize {
        self.shared.commits
    }

    /// Counts a commit into the batch and leaves. What comes back completes when all that was evaluated so far is
    /// durable and published.
    pub(crate) fn push(mut self) -> Arc<Completion> {
        self.shared.commits += 1;
        let completion = self.shared.open.clone();
        let was_empty = self.shared.commits == 1;
        let work = self.work;
        drop(self);
        if was_empty {
            work.notify_one();
        }
        completion
    }

    /// Leaves without a commit. What comes back completes when all that was evaluated so far is durable and published;
    /// None if it is already.
    pub(crate) fn settle(self) -> Option<Arc<Completion>> {
        if self.shared.commits > 0 {
            return Some(self.shared.open.clone());
        }
        let in_flight = self.shared.in_flight.clone()?;
        match in_flight.outcome() {
            Some(Ok(())) => None,
            _ => Some(in_flight),
        }
    }

    /// Leaves, and lets the writer publish the state although nothing has to be written.
    pub(crate) fn nudge(mut self) {
        self.shared.nudged = true;
        let work = self.work;
        drop(self);
        work.notify_one();
    }
}

impl<T> Deref for Entered<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.shared.state
    }
}

impl<T> DerefMut for Entered<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.shared.state
    }
}
