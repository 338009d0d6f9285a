//! The hand-over from the evaluator to the log writer.
//!
//! # Protocol
//! One mutex holds the evaluator's state and the batch that is being filled. Whoever commits evaluates under it, counts
//! itself into the batch and leaves with the batch's completion. The writer takes the whole batch under the same mutex,
//! leaves it, makes the batch durable, publishes, and completes: in this order. There is no timer: while the
//! writer is busy the next batch fills.
//!
//! A batch is taken when it is rung for ([`CommitQueue::ring`]), which is the duty of each thread's first commit in it: not
//! at once, but when the tasks that are ready on the thread have run, because many of them commit too
//! ([`super::Ticket`]). The first ring counts, so no thread waits for what another one is busy with. A batch of
//! [`BATCH_RUNG_AT`] commits needs no ring.
//!
//! Whoever finds nothing to write and nobody writing may write its own commit at once, on its own thread
//! ([`Entered::push_or_take`]): a lone client then waits for the disk, not for two switches of threads. There is never
//! more than one writer: `writing` is set by who takes a batch and cleared by [`CommitQueue::finish`].
//!
//! The log writer sleeps only when no batch is rung for or somebody else writes; whoever rings while nobody writes
//! notifies, and so does who ends its own batch while the next one was rung for: no wake-up is lost.

use super::completion::{Completion, Stopped};
use super::sync::{Arc, Condvar, Mutex, MutexGuard, ThreadId, current_thread, lock, try_lock, wait};
use std::ops::{Deref, DerefMut};

/// A batch of so many commits does not wait for a ring.
const BATCH_RUNG_AT: usize = 256;

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
    /// The threads that they came from: as many as there are runtimes.
    threads: Vec<ThreadId>,
    /// It may be taken.
    rung: bool,
    /// Completion of the batch that was taken last.
    in_flight: Option<Arc<Completion>>,
    /// Somebody writes that batch.
    writing: bool,
    /// Commits in that batch.
    taken: usize,
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
            threads: Vec::new(),
            rung: false,
            in_flight: None,
            writing: false,
            taken: 0,
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
        self.entered(lock(&self.shared))
    }

    /// The same, unless somebody has the lock.
    ///
    /// # Errors
    /// As [`CommitQueue::enter`].
    pub(crate) fn try_enter(&self) -> Option<Result<Entered<'_, T>, Stopped>> {
        try_lock(&self.shared).map(|shared| self.entered(shared))
    }

    fn entered<'a>(&'a self, shared: MutexGuard<'a, Shared<T>>) -> Result<Entered<'a, T>, Stopped> {
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
    /// None when the queue is closed and drained, or stopped. The completion is the writer's to complete, and
    /// [`CommitQueue::finish`] to be called then.
    pub(crate) fn next<B>(&self, seal: impl FnOnce(&mut T) -> B) -> Option<(B, Arc<Completion>)> {
        let mut shared = lock(&self.shared);
        loop {
            match shared.look() {
                Look::Work => return Some(shared.take(seal)),
                Look::End => return None,
                Look::Nothing => shared = wait(&self.work, shared),
            }
        }
    }

    /// As [`CommitQueue::next`], without waiting; None also when there is nothing to take.
    pub(crate) fn next_now<B>(&self, seal: impl FnOnce(&mut T) -> B) -> Option<(B, Arc<Completion>)> {
        let mut shared = lock(&self.shared);
        matches!(shared.look(), Look::Work).then(|| shared.take(seal))
    }

    /// Lets the writer take the batch that is being filled. Without one it does nothing.
    pub(crate) fn ring(&self) {
        let mut shared = lock(&self.shared);
        let notifies = shared.ring();
        drop(shared);
        if notifies {
            self.work.notify_one();
        }
    }

    /// Ends the writing of the batch that was taken. Its completion has been completed.
    pub(crate) fn finish(&self) {
        let mut shared = lock(&self.shared);
        shared.writing = false;
        let waits = shared.is_wanted() || !matches!(shared.phase, Phase::Running);
        drop(shared);
        if waits {
            self.work.notify_one();
        }
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

/// What the writer finds.
enum Look {
    Work,
    Nothing,
    End,
}

impl<T> Shared<T> {
    fn look(&self) -> Look {
        match self.phase {
            Phase::Stopped(_) => Look::End,
            _ if self.writing => Look::Nothing,
            _ if self.is_wanted() => Look::Work,
            Phase::Closing if self.commits > 0 => Look::Work,
            Phase::Closing => Look::End,
            Phase::Running => Look::Nothing,
        }
    }

    /// There is something for the writer.
    fn is_wanted(&self) -> bool {
        self.rung || self.nudged
    }

    /// True if it is the thread's first commit in the batch.
    fn begins(&mut self, thread: ThreadId) -> bool {
        let is_first = !self.threads.contains(&thread);
        if is_first {
            self.threads.push(thread);
        }
        is_first
    }

    /// True if the writer has to be notified.
    fn ring(&mut self) -> bool {
        let is_news = self.commits > 0 && !self.rung;
        self.rung |= is_news;
        is_news && !self.writing
    }

    fn take<B>(&mut self, seal: impl FnOnce(&mut T) -> B) -> (B, Arc<Completion>) {
        self.taken = std::mem::take(&mut self.commits);
        self.threads.clear();
        self.rung = false;
        self.nudged = false;
        self.writing = true;
        let taken = std::mem::replace(&mut self.open, Completion::new());
        self.in_flight = Some(taken.clone());
        (seal(&mut self.state), taken)
    }
}

/// A commit's place in a batch.
#[derive(Debug)]
pub(crate) struct Place {
    /// Completes the batch.
    pub(crate) completion: Arc<Completion>,
    /// It is its thread's first: to call [`CommitQueue::ring`] is its duty.
    pub(crate) rings: bool,
}

/// What became of a commit.
#[derive(Debug)]
pub(crate) enum Pushed<B> {
    /// It waits in a batch.
    Waits(Place),
    /// The caller is the writer of a batch of its own: it makes it durable, publishes, completes and calls
    /// [`CommitQueue::finish`], as [`CommitQueue::next`] says.
    Writes(B, Arc<Completion>),
}

impl<T> Entered<'_, T> {
    /// Commits that wait for the writer.
    pub(crate) fn commits(&self) -> usize {
        self.shared.commits
    }

    /// Counts a commit into the batch and leaves. Its place completes when all that was evaluated so far is durable and
    /// published.
    pub(crate) fn push(mut self) -> Place {
        self.shared.commits += 1;
        let place = Place { completion: self.shared.open.clone(), rings: self.shared.begins(current_thread()) };
        let notifies = self.shared.commits >= BATCH_RUNG_AT && self.shared.ring();
        let work = self.work;
        drop(self);
        if notifies {
            work.notify_one();
        }
        place
    }

    /// As [`Entered::push`], and lets the writer take the batch.
    pub(crate) fn push_and_ring(mut self) -> Arc<Completion> {
        self.shared.commits += 1;
        let completion = self.shared.open.clone();
        let (notifies, work) = (self.shared.ring(), self.work);
        drop(self);
        if notifies {
            work.notify_one();
        }
        completion
    }

    /// As [`Entered::push`]; but if nothing waits, nobody writes, and the last batch was no larger than this one, the
    /// caller becomes the writer. Several clients at once fill batches, and those go to the log writer.
    pub(crate) fn push_or_take<B>(mut self, seal: impl FnOnce(&mut T) -> B) -> Pushed<B> {
        let Shared { commits, taken, writing, nudged, .. } = &mut *self.shared;
        if *commits > 0 || *taken > 1 || *writing || *nudged {
            return Pushed::Waits(self.push());
        }
        *commits = 1;
        let (sealed, completion) = self.shared.take(seal);
        Pushed::Writes(sealed, completion)
    }

    /// Leaves without a commit. What comes back completes when all that was evaluated so far is durable and published;
    /// None if it is already. Who committed to the batch rings for it.
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
        // Who writes now sees it when it ends.
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
