//! The end of a batch, for everyone who waits for it: one object a batch, not one a commit.
//!
//! # Wake-ups
//! A wake-up of another thread is a system call, so a batch makes one a thread and not one a commit: those who wait are
//! grouped by the thread that polled them, the first of a group is woken, and when its thread polls it, it wakes the
//! others, which is cheap there. Whoever stops waiting before its turn hands that duty on.

use super::sync::{Arc, Condvar, Mutex, MutexGuard, ThreadId, current_thread, lock, wait};
use std::task::{Context, Poll, Waker};

/// Why nothing is acknowledged any more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stopped(pub(crate) std::sync::Arc<str>);

/// A batch is durable and published, or never will be.
pub(crate) type Outcome = Result<(), Stopped>;

/// See the module. Set once.
#[derive(Debug)]
pub(crate) struct Completion {
    waiting: Mutex<Waiting>,
    done: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    outcome: Option<Outcome>,
    /// One a thread that polls: as many as there are runtimes.
    groups: Vec<Group>,
    /// Threads that sleep in [`Completion::wait`].
    sleepers: usize,
}

#[derive(Debug)]
struct Group {
    thread: ThreadId,
    /// None: it stopped waiting, or was woken.
    wakers: Vec<Option<Waker>>,
}

/// Where a waiting task left its waker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    group: usize,
    at: usize,
}

impl Completion {
    pub(crate) fn new() -> Arc<Completion> {
        Arc::new(Completion { waiting: Mutex::new(Waiting::default()), done: Condvar::new() })
    }

    /// Sets the outcome and wakes everyone. Only the first call counts.
    pub(crate) fn complete(&self, outcome: Outcome) {
        let mut waiting = lock(&self.waiting);
        if waiting.outcome.is_some() {
            return;
        }
        waiting.outcome = Some(outcome);
        let firsts: Vec<Waker> = waiting.groups.iter_mut().filter_map(Group::take_first).collect();
        let sleepers = waiting.sleepers;
        drop(waiting);
        if sleepers > 0 {
            self.done.notify_all();
        }
        for waker in firsts {
            waker.wake();
        }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        lock(&self.waiting).outcome.clone()
    }

    /// Asks for the outcome, or to be woken. `slot` remembers the caller's waker between polls; a caller that stops
    /// asking before the outcome is there calls [`Completion::abandon`].
    pub(crate) fn poll(&self, context: &Context<'_>, slot: &mut Option<Slot>) -> Poll<Outcome> {
        let mut waiting = lock(&self.waiting);
        if let Some(outcome) = waiting.outcome.clone() {
            if let Some(Slot { group, .. }) = slot.take() {
                wake_group(waiting, group);
            }
            return Poll::Ready(outcome);
        }
        let mine = slot.and_then(|slot| waiting.groups.get_mut(slot.group)?.wakers.get_mut(slot.at));
        match mine {
            Some(waker) => match waker {
                Some(waker) => waker.clone_from(context.waker()),
                None => *waker = Some(context.waker().clone()),
            },
            None => *slot = Some(waiting.register(context.waker())),
        }
        Poll::Pending
    }

    /// Stops waiting. If the caller had been woken for its group, the group is woken now.
    pub(crate) fn abandon(&self, Slot { group, at }: Slot) {
        let mut waiting = lock(&self.waiting);
        if waiting.outcome.is_some() {
            wake_group(waiting, group);
        } else if let Some(waker) = waiting.groups.get_mut(group).and_then(|group| group.wakers.get_mut(at)) {
            *waker = None;
        }
    }

    /// Waits on this thread.
    pub(crate) fn wait(&self) -> Outcome {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(outcome) = &waiting.outcome {
                return outcome.clone();
            }
            waiting.sleepers += 1;
            waiting = wait(&self.done, waiting);
            waiting.sleepers -= 1;
        }
    }
}

impl Waiting {
    fn register(&mut self, waker: &Waker) -> Slot {
        let thread = current_thread();
        let group = self.groups.iter().position(|group| group.thread == thread).unwrap_or_else(|| {
            self.groups.push(Group { thread, wakers: Vec::new() });
            self.groups.len() - 1
        });
        let wakers = self.groups.get_mut(group).map(|group| &mut group.wakers);
        let wakers = wakers.expect("invariant: found or pushed above");
        wakers.push(Some(waker.clone()));
        Slot { group, at: wakers.len() - 1 }
    }
}

impl Group {
    fn take_first(&mut self) -> Option<Waker> {
        self.wakers.iter_mut().find_map(Option::take)
    }
}

/// Wakes who is left of a group. The lock is left first: a woken task may ask at once.
fn wake_group(mut waiting: MutexGuard<'_, Waiting>, group: usize) {
    let wakers = waiting.groups.get_mut(group).map(|group| std::mem::take(&mut group.wakers)).unwrap_or_default();
    drop(waiting);
    for waker in wakers.into_iter().flatten() {
        waker.wake();
    }
}
