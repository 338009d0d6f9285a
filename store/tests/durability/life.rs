//! One store from its start to its end, and what it may show: what was acknowledged, or some of what was asked for since.

use crate::judge::{Depth, Follower, Verdict, judge, judge_view};
use crate::model::Model;
use crate::random::Random;
use crate::site::Site;
use archipel_store::clock::Clock;
use archipel_store::error::RequestError;
use archipel_store::{Store, View};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// The newest acknowledged state, and what each change since makes of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Possible {
    acknowledged: Model,
    asked: Vec<Model>,
}

impl Possible {
    /// The state after everything that was asked for.
    pub(crate) fn newest(&self) -> &Model {
        self.asked.last().unwrap_or(&self.acknowledged)
    }

    /// A change is asked for. To be told before its outcome is known: what is refused may have survived.
    pub(crate) fn ask(&mut self, change: impl FnOnce(&mut Model)) {
        let mut model = self.newest().clone();
        change(&mut model);
        self.asked.push(model);
    }

    /// The oldest of what was asked for is acknowledged.
    pub(crate) fn acknowledge(&mut self, count: usize) {
        if let Some(model) = self.asked.drain(..count).next_back() {
            self.acknowledged = model;
        }
    }

    /// Everything is.
    pub(crate) fn acknowledge_all(&mut self) {
        self.acknowledge(self.asked.len());
    }

    /// Finds the state that a store shows; from now on no other is possible, and none before it.
    pub(crate) fn settle(&mut self, shows: impl Fn(&Model) -> Verdict) -> Verdict {
        let mut broken = match shows(&self.acknowledged) {
            Ok(()) => return Ok(()),
            Err(broken) => format!("what was acknowledged: {broken}"),
        };
        for (at, model) in self.asked.iter().enumerate() {
            match shows(model) {
                Ok(()) => {
                    self.acknowledge(at + 1);
                    return Ok(());
                }
                Err(other) => broken += &format!("; change {} since: {other}", at + 1),
            }
        }
        Err(broken)
    }

    /// The next store starts from what the last one showed.
    pub(crate) fn forget_asked(&mut self) {
        self.asked.clear();
    }
}

/// What a search met. One that meets little proves little.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) crashes: u64,
    /// Of them, while a store was opened.
    pub(crate) at_start: u64,
    /// Of them, in maintenance: checkpoint, cleaning, rotation.
    pub(crate) in_maintenance: u64,
    pub(crate) acknowledged: u64,
    /// Crashes after which something unacknowledged was there.
    pub(crate) survived: u64,
    /// Segments that the longest story began.
    pub(crate) segments: u64,
    /// Segments that cleaning gave back in one story.
    pub(crate) cleaned: u64,
    pub(crate) compactions: u64,
    pub(crate) bursts: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Life<'a> {
    pub(crate) site: &'a Site,
    pub(crate) store: Store,
    pub(crate) possible: &'a mut Possible,
    pub(crate) random: &'a mut Random,
    pub(crate) tally: &'a mut Tally,
    /// When leases end, on the store's clock.
    pub(crate) deadlines: BTreeMap<i64, Duration>,
    pub(crate) pinned: Option<(View, Model)>,
    pub(crate) follower: Follower,
}

/// How far a life is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Going {
    On,
    /// The disk failed, and the store refuses everything.
    Stopped,
}

impl<'a> Life<'a> {
    /// Judges a store that was just opened.
    pub(crate) fn begin(
        site: &'a Site,
        store: Store,
        possible: &'a mut Possible,
        random: &'a mut Random,
        tally: &'a mut Tally,
    ) -> Result<Life<'a>, String> {
        let before = possible.acknowledged.clone();
        possible.settle(|model| judge(&store, model, Depth::Some(4)))?;
        possible.forget_asked();
        let model = possible.newest();
        tally.survived +=
            u64::from((before.revision, before.compact_revision) != (model.revision, model.compact_revision));
        let now = site.clock.monotonic();
        let ends = |(id, granted_s): (&i64, &i64)| (*id, now + Duration::from_secs(granted_s.unsigned_abs()));
        let deadlines = model.leases.iter().map(ends).collect();
        let start = model.compact_revision.max(1) + random.below(4) as i64;
        let start = start.min(model.revision + 1);
        let follower = Follower::new(store.watch(crate::judge::watch_request(start)), start);
        Ok(Life { site, store, possible, random, tally, deadlines, pinned: None, follower })
    }

    /// Some steps, until the disk fails. Then the store still shows a durable state.
    pub(crate) fn live(&mut self, steps: u64) -> Result<Going, String> {
        for _ in 0..steps {
            if self.step()? == Going::Stopped {
                self.judge_stopped()?;
                return Ok(Going::Stopped);
            }
        }
        Ok(Going::On)
    }

    /// What is visible when the disk has failed was durable: it is what the next start must show at least.
    pub(crate) fn judge_stopped(&mut self) -> Verdict {
        let view = self.store.view();
        self.possible.settle(|model| judge_view(&view, model, Depth::Some(2)))
    }

    /// Takes an outcome. None: the disk failed.
    pub(crate) fn outcome<T>(&mut self, outcome: Result<T, RequestError>) -> Result<Option<T>, String> {
        match outcome {
            Ok(reply) => {
                self.tally.acknowledged += 1;
                self.possible.acknowledge_all();
                Ok(Some(reply))
            }
            Err(RequestError::Stopped(_)) => Ok(None),
            Err(refused) => Err(format!("refused without a reason: {refused}")),
        }
    }
}

/// Runs a future to its end on this thread.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut outcomes = run_all(vec![Box::pin(future)], || ());
    outcomes.pop().expect("one future, one outcome")
}

/// More often than a write polls for its turn at the store's lock before it waits for it.
const POLLS_TO_ENTER: usize = 20;

/// Runs futures to their ends on this thread, each polled in every round, as an executor does that woke them all. In the
/// first round each is polled until it has surely been evaluated, in their order; `polled` is called then.
pub(crate) fn run_all<F: Future>(futures: Vec<Pin<Box<F>>>, polled: impl FnOnce()) -> Vec<F::Output> {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut polled = Some(polled);
    let mut running: Vec<_> = futures.into_iter().map(|future| (future, None)).collect();
    loop {
        let polls = if polled.is_some() { POLLS_TO_ENTER } else { 1 };
        for (future, outcome) in &mut running {
            for _ in 0..polls {
                if outcome.is_none()
                    && let Poll::Ready(output) = future.as_mut().poll(&mut context)
                {
                    *outcome = Some(output);
                }
            }
        }
        if let Some(polled) = polled.take() {
            polled();
        }
        if running.iter().all(|(_, outcome)| outcome.is_some()) {
            return running.into_iter().filter_map(|(_, outcome)| outcome).collect();
        }
        std::thread::park();
    }
}
