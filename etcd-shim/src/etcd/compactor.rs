//! Compaction without anybody asking for it (etcd: server/etcdserver/api/v3compactor). What to compact, and when, is
//! decided by [`Schedule`], which does no I/O; [`run`] waits and compacts.

use crate::config::AutoCompaction;
use archipel_store::{Store, error::RequestError};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often the revision mode looks.
const REVISION_INTERVAL: Duration = Duration::from_secs(5 * 60);
/// The periodic mode compacts at least this often.
const PERIOD_MAX: Duration = Duration::from_secs(60 * 60);
/// The periodic mode notes the revision, and tries again, so many times a period.
const LOOKS_A_PERIOD: u32 = 10;

/// When to compact at which revision.
#[derive(Debug)]
pub struct Schedule {
    mode: Mode,
    /// The revision of the last compaction that worked.
    last: i64,
}

#[derive(Debug)]
enum Mode {
    Periodic {
        period: Duration,
        /// Revisions of the last period, oldest first: the first one is what was current a period ago.
        seen: VecDeque<i64>,
        succeeded_at: Duration,
        /// The first compaction waits for a whole period, the following ones for an hour at most.
        pause: Duration,
    },
    Revision {
        kept: i64,
    },
}

impl Schedule {
    /// The schedule of a setting; None = off. The revision of now is the first one that is noted.
    #[must_use]
    pub fn new(setting: AutoCompaction, revision: i64) -> Option<Schedule> {
        let mode = match setting {
            AutoCompaction::Off => return None,
            AutoCompaction::Periodic(period) => {
                Mode::Periodic { period, seen: VecDeque::from([revision]), succeeded_at: Duration::ZERO, pause: period }
            }
            AutoCompaction::Revisions(kept) => Mode::Revision { kept },
        };
        Some(Schedule { mode, last: 0 })
    }

    /// Time between two looks.
    #[must_use]
    pub fn interval(&self) -> Duration {
        match &self.mode {
            Mode::Periodic { period, .. } => (*period).min(PERIOD_MAX) / LOOKS_A_PERIOD,
            Mode::Revision { .. } => REVISION_INTERVAL,
        }
    }

    /// What to compact at now, an interval after the last look. `now` is the time since the start.
    pub fn due(&mut self, now: Duration, revision: i64) -> Option<i64> {
        let last = self.last;
        let interval = self.interval();
        match &mut self.mode {
            Mode::Periodic { period, seen, succeeded_at, pause } => {
                let due = seen.front().copied().filter(|oldest| now - *succeeded_at >= *pause && *oldest != last);
                if due.is_some() {
                    *pause = (*period).min(PERIOD_MAX);
                }
                // Noted after the decision: the next look is an interval away.
                seen.push_back(revision);
                let looks = (period.as_nanos() / interval.as_nanos().max(1)) as usize + 1;
                while seen.len() > looks {
                    seen.pop_front();
                }
                due
            }
            Mode::Revision { kept } => Some(revision - *kept).filter(|at| *at > 0 && *at != last),
        }
    }

    /// The compaction that was due is done.
    pub fn succeeded(&mut self, now: Duration, at: i64) {
        self.last = at;
        if let Mode::Periodic { succeeded_at, .. } = &mut self.mode {
            *succeeded_at = now;
        }
    }
}

/// Compacts as `setting` says until the process stops.
pub async fn run(store: Store, setting: AutoCompaction, stop: CancellationToken) {
    let Some(mut schedule) = Schedule::new(setting, store.revision()) else { return };
    let started = Instant::now();
    loop {
        tokio::select! {
            () = tokio::time::sleep(schedule.interval()) => {}
            () = stop.cancelled() => return,
        }
        let Some(revision) = schedule.due(started.elapsed(), store.revision()) else { continue };
        match store.compact(revision, false).await {
            Ok(_) => tracing::info!(revision, "auto compaction: older history is compacted"),
            // Somebody else was there first.
            Err(RequestError::Compacted { .. }) => {}
            Err(error) => {
                tracing::warn!(revision, %error, "auto compaction failed; it is tried again");
                continue;
            }
        }
        schedule.succeeded(started.elapsed(), revision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compactions of a store that gets `growth` revisions between two looks, with their time in looks.
    fn compactions(setting: AutoCompaction, growth: i64, looks: u32) -> Vec<(u32, i64)> {
        let mut schedule = Schedule::new(setting, 1).unwrap();
        let interval = schedule.interval();
        let mut done = Vec::new();
        for look in 1..=looks {
            let now = interval * look;
            if let Some(at) = schedule.due(now, 1 + growth * i64::from(look)) {
                schedule.succeeded(now, at);
                done.push((look, at));
            }
        }
        done
    }

    #[test]
    fn a_period_is_kept_and_compacted_once_a_period() {
        let five_seconds = AutoCompaction::Periodic(Duration::from_secs(5));
        // The first compaction comes after one period, at the revision of its begin; etcd keeps one look more later on.
        assert_eq!(compactions(five_seconds, 100, 35), [(10, 1), (20, 901), (30, 1901)]);
        let day = AutoCompaction::Periodic(Duration::from_secs(24 * 3600));
        let first_hours = compactions(day, 1, 24 * 10 + 25);
        assert_eq!(first_hours, [(240, 1), (250, 10), (260, 20)]);
    }

    #[test]
    fn an_idle_store_is_compacted_once() {
        assert_eq!(compactions(AutoCompaction::Periodic(Duration::from_secs(5)), 0, 100), [(10, 1)]);
    }

    #[test]
    fn so_many_revisions_are_kept() {
        assert_eq!(compactions(AutoCompaction::Revisions(100), 60, 4), [(2, 21), (3, 81), (4, 141)]);
        assert_eq!(compactions(AutoCompaction::Revisions(1000), 60, 4), []);
    }

    #[test]
    fn a_failed_compaction_is_tried_again_at_the_next_look() {
        let mut schedule = Schedule::new(AutoCompaction::Periodic(Duration::from_secs(10)), 1).unwrap();
        for look in 1..10 {
            assert_eq!(schedule.due(Duration::from_secs(look), 5), None);
        }
        assert_eq!(schedule.due(Duration::from_secs(10), 5), Some(1));
        assert_eq!(schedule.due(Duration::from_secs(11), 5), Some(1));
        assert_eq!(schedule.due(Duration::from_secs(12), 5), Some(5), "what was current a period ago");
    }
}
