//! When leases end. Volatile: after a restart every lease has its full TTL again (etcd: lessor.Promote).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Deadlines on the monotonic clock. Owned by the evaluator, so that a lease is renewed or revoked, not both.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    by_id: BTreeMap<i64, Deadline>,
    in_order: BTreeSet<(Duration, i64)>,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    granted_s: i64,
    at: Duration,
}

impl Deadlines {
    /// Starts, or starts anew, the life of a lease.
    pub(crate) fn start(&mut self, id: i64, granted_s: i64, now: Duration) {
        self.remove(id);
        let at = now + Duration::from_secs(granted_s.unsigned_abs());
        self.by_id.insert(id, Deadline { granted_s, at });
        self.in_order.insert((at, id));
    }

    /// Renews a lease that has not expired; its granted TTL in seconds.
    pub(crate) fn renew(&mut self, id: i64, now: Duration) -> Option<i64> {
        let Deadline { granted_s, at } = *self.by_id.get(&id)?;
        if at <= now {
            return None;
        }
        self.start(id, granted_s, now);
        Some(granted_s)
    }

    pub(crate) fn remove(&mut self, id: i64) {
        if let Some(deadline) = self.by_id.remove(&id) {
            self.in_order.remove(&(deadline.at, id));
        }
    }

    /// What is left of a lease; zero when it has expired.
    pub(crate) fn remaining(&self, id: i64, now: Duration) -> Option<Duration> {
        self.by_id.get(&id).map(|deadline| deadline.at.saturating_sub(now))
    }

    /// Leases whose time is over, the longest overdue first.
    pub(crate) fn expired(&self, now: Duration, max: usize) -> Vec<i64> {
        self.in_order.iter().take_while(|(at, _)| *at <= now).take(max).map(|(_, id)| *id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_moves_the_deadline_and_comes_too_late_after_it() {
        let at = Duration::from_secs;
        let mut deadlines = Deadlines::default();
        deadlines.start(7, 5, at(0));
        deadlines.start(8, 2, at(0));
        assert_eq!(deadlines.expired(at(1), 10), Vec::<i64>::new());
        assert_eq!(deadlines.renew(7, at(4)), Some(5));
        assert_eq!(deadlines.renew(8, at(4)), None, "it expired at 2");
        assert_eq!(deadlines.expired(at(5), 10), vec![8]);
        assert_eq!(deadlines.remaining(7, at(5)), Some(at(4)));
        deadlines.remove(8);
        assert_eq!(deadlines.expired(at(9), 10), vec![7]);
        assert_eq!(deadlines.expired(at(9), 0), Vec::<i64>::new());
        assert_eq!(deadlines.remaining(8, at(5)), None);
    }
}
