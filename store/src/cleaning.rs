//! Keeps the log within its bound ([`crate::log::Bound`]): moves what is live of the oldest segment to the tail, batch by
//! batch, and frees it. Runs on the maintenance thread; successor: `sequencer::relocation`.
//!
//! A batch is one record, evaluated in one short hold of the sequencer's lock. It is durable with whatever else is in
//! its group; nothing is synced for it alone while clients write. What is not urgent rests between batches.
//!
//! # Who may free a segment, and when
//! Only this thread frees, the oldest segment only, and in this order:
//! 1. every copy of it is durable, and every version says its new place ([`Sequencer::copied`](crate::sequencer));
//! 2. the index's point is behind the segment, so that no start needs it. No checkpoint runs between a copy and 1, as
//!    the caller holds the checkpoint's lock: its rows would name the old place, and its point lie behind the copy;
//! 3. the file gets a spare's name, and is used again only when nobody who was pinned before is left (`log::pin`): states
//!    that are older than the freeing may still read from it.

use crate::checkpoint::Checkpoint;
use crate::core::Core;
use crate::error::RequestError;
use crate::limits::{CLEANING_BATCHES_IN_FLIGHT_MAX, CLEANING_PAUSE_IDLE_MS, CLEANING_PAUSE_MS_MAX};
use crate::log::{Candidates, CleanError, LogPoint, Replayed};
use crate::mvcc::State;
use crate::sequencer::{Copied, InState, Ticket};
use crate::sync::{Ordering, thread};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

/// How fast a segment is cleaned.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// After a batch, while clients write, and while they do not.
    pause: Duration,
    pause_idle: Duration,
    in_flight_max: usize,
}

/// Why a segment is not clean yet.
#[derive(Debug)]
enum Halt {
    Asked,
    Refused(RequestError),
    Unreadable(CleanError),
}

/// The live part of one segment on its way to the tail.
struct Moving<'a> {
    core: &'a Core,
    pace: Pace,
    halt: &'a dyn Fn() -> bool,
    /// Not older than the segment's end, and not much older than now.
    state: State,
    candidates: Candidates,
    in_flight: VecDeque<(Ticket, Vec<Copied>)>,
    /// Where the log ended after the last copy: who else writes moves it on.
    end: LogPoint,
    pause: Duration,
}

impl Core {
    /// Cleans the oldest segment, if there is need to. False if there is none, or it has to wait.
    pub(crate) fn clean_segment(
        &self,
        checkpoint: &mut Checkpoint,
        halt: &dyn Fn() -> bool,
    ) -> Result<bool, RequestError> {
        if self.is_stuck.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let (next, slowness) = self.sequencer.with(|evaluator| (evaluator.next_to_clean(), evaluator.slowness()));
        self.sequencer.slow(slowness);
        let Some((segment, urgency_percent)) = next else { return Ok(false) };
        match self.move_live(segment, Pace::of(urgency_percent), halt) {
            Ok(()) => {}
            Err(Halt::Asked) => return Ok(false),
            Err(Halt::Refused(error)) => return Err(error),
            Err(Halt::Unreadable(error))
                if self.sequencer.with(|evaluator| evaluator.newest.clone()).lies_in(segment) =>
            {
                tracing::error!(
                    segment, %error,
                    "the oldest segment of the commit log cannot be read where it is needed, so the log grows from now on; \
                     restore this site from a snapshot or from a peer"
                );
                self.is_stuck.store(true, Ordering::Relaxed);
                self.sequencer.never_slow();
                return Ok(false);
            }
            Err(Halt::Unreadable(error)) => {
                tracing::warn!(segment, %error, "a segment of the commit log is damaged where nobody needs it; it is freed");
            }
        }
        if checkpoint.point().segment <= segment && !checkpoint.failed {
            // Or the next start would have to rebuild the index: its point would be gone.
            self.make_checkpoint(checkpoint)?;
        }
        match self.cleaner.free_segment(segment) {
            Ok(()) => {
                // Published, so that the states that held the file go and it can be used again.
                let mut entered = self.sequencer.enter()?;
                entered.freed();
                entered.nudge();
                Ok(true)
            }
            Err(CleanError::Stopped(fatal)) => {
                self.sequencer.stop(&fatal.to_string());
                Err(RequestError::Stopped(fatal.to_string()))
            }
            Err(error) => {
                tracing::error!(segment, %error, "a segment of the commit log cannot be freed");
                Ok(false)
            }
        }
    }

    /// Appends what is live of a segment again; returns when that is durable and published.
    fn move_live(&self, segment: u64, pace: Pace, halt: &dyn Fn() -> bool) -> Result<(), Halt> {
        let state = self.sequencer.with(|evaluator| evaluator.newest.clone());
        let (candidates, in_flight) = (Candidates::default(), VecDeque::new());
        let mut moving = Moving {
            core: self,
            pace,
            halt,
            state,
            candidates,
            in_flight,
            end: LogPoint::default(),
            pause: pace.pause,
        };
        let mut halted = Ok(());
        let scanned = self.cleaner.scan_segment(segment, &mut |replayed| {
            halted = moving.record(replayed);
            if halted.is_err() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        // What lies before a damaged record is moved all the same.
        let moved = halted.and_then(|()| moving.batches(|_| true)).and(scanned.map_err(Halt::Unreadable));
        // Also when it was halted: no checkpoint may find copies on their way.
        moving.land(0).map_err(Halt::Refused)?;
        moved
    }
}

impl Pace {
    fn of(urgency_percent: u64) -> Pace {
        let rest = 100_u64.saturating_sub(urgency_percent);
        let pause = Duration::from_micros(CLEANING_PAUSE_MS_MAX * 10 * rest);
        let pause_idle = pause.min(Duration::from_millis(CLEANING_PAUSE_IDLE_MS));
        Pace { pause, pause_idle, in_flight_max: if rest == 0 { CLEANING_BATCHES_IN_FLIGHT_MAX } else { 1 } }
    }
}

impl Moving<'_> {
    fn record(&mut self, replayed: Replayed) -> Result<(), Halt> {
        self.candidates.add(replayed, &InState(&self.state));
        self.batches(Candidates::is_full)
    }

    /// Copies batch after batch while `more` says so.
    fn batches(&mut self, more: impl Fn(&Candidates) -> bool) -> Result<(), Halt> {
        while more(&self.candidates)
            && let Some(batch) = self.candidates.next_batch()
        {
            if (self.halt)() {
                return Err(Halt::Asked);
            }
            self.land(self.pace.in_flight_max - 1).map_err(Halt::Refused)?;
            self.copy(batch).map_err(Halt::Refused)?;
            if !self.pause.is_zero() {
                thread::sleep(self.pause);
            }
        }
        Ok(())
    }

    fn copy(&mut self, batch: Candidates) -> Result<(), RequestError> {
        let mut entered = self.core.sequencer.enter()?;
        self.pause = if entered.log_end() == self.end { self.pace.pause_idle } else { self.pace.pause };
        let copied = entered.relocate(batch)?;
        self.end = entered.log_end();
        self.state = entered.newest.clone();
        if let Some(copied) = copied {
            self.in_flight.push_back((Ticket::of(Some(entered.push_and_ring())), copied));
        }
        Ok(())
    }

    /// Waits until at most so many batches are on their way; the versions of the others then say their new places.
    fn land(&mut self, in_flight_max: usize) -> Result<(), RequestError> {
        while self.in_flight.len() > in_flight_max
            && let Some((ticket, copied)) = self.in_flight.pop_front()
        {
            ticket.wait()?;
            self.core.sequencer.with(|evaluator| evaluator.copied(copied));
        }
        Ok(())
    }
}
