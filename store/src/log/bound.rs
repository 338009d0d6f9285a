//! What the log may take on the disk, from what is live in it. Pure numbers; `cleaning` keeps to them.
//!
//! ```text
//!      live        goal                 max                  slowest
//! ──────┼───────────┼────────────────────┼─────────────────────┼──────► bytes of frames
//!       │  at rest  │  cleaned, faster   │  cleaned at full    │  one batch after
//!       │           │  and faster        │  speed; writes wait │  the longest wait
//! ```

use crate::limits::{
    LOG_PERCENT_OF_LIVE_GOAL, LOG_PERCENT_OF_LIVE_MAX, LOG_SEGMENTS_GOAL, LOG_SEGMENTS_MAX, LOG_SEGMENTS_SLOWEST,
    WRITE_DELAY_MS_MAX, WRITE_DELAY_MS_PER_MIB_MAX,
};
use std::time::Duration;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    live: u64,
    segment_bytes: u64,
}

impl Bound {
    /// For so many live bytes.
    pub fn new(live: u64, segment_bytes: u32) -> Bound {
        Bound { live, segment_bytes: u64::from(segment_bytes) }
    }

    /// What cleaning brings the log to.
    pub fn goal(&self) -> u64 {
        self.of(LOG_PERCENT_OF_LIVE_GOAL, LOG_SEGMENTS_GOAL)
    }

    /// Above it cleaning does nothing but clean, and writes wait for it.
    pub fn max(&self) -> u64 {
        self.of(LOG_PERCENT_OF_LIVE_MAX, LOG_SEGMENTS_MAX)
    }

    /// How urgent cleaning is when the log's frames take so much: 0 at the goal, 100 at the maximum.
    pub fn urgency_percent(&self, used: u64) -> u64 {
        share(used.saturating_sub(self.goal()), self.max() - self.goal(), 100)
    }

    /// How much a write is slowed, in nanoseconds a MiB.
    pub fn slowness(&self, used: u64) -> u64 {
        let most = WRITE_DELAY_MS_PER_MIB_MAX * 1_000_000;
        share(used.saturating_sub(self.max()), LOG_SEGMENTS_SLOWEST * self.segment_bytes, most)
    }

    fn of(&self, percent: u64, segments: u64) -> u64 {
        self.live.saturating_mul(percent) / 100 + segments * self.segment_bytes
    }
}

/// How long a batch of so many bytes of clients' waits.
pub(crate) fn delay(slowness: u64, bytes: u64) -> Duration {
    let nanoseconds = (u128::from(slowness) * u128::from(bytes)) >> 20;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)).min(Duration::from_millis(WRITE_DELAY_MS_MAX))
}

fn share(part: u64, whole: u64, of: u64) -> u64 {
    let scaled = u128::from(part) * u128::from(of) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(u64::MAX).min(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn urgency_and_slowness_grow_with_what_the_log_takes() {
        let bound = Bound::new(1_000 * MIB, 64 << 20);
        let (goal, max) = (bound.goal(), bound.max());
        assert!(1_000 * MIB < goal && goal < max);
        assert_eq!(
            [0, goal, goal.midpoint(max), max, u64::MAX].map(|used| bound.urgency_percent(used)),
            [0, 0, 50, 100, 100]
        );
        assert_eq!([0, max].map(|used| bound.slowness(used)), [0, 0]);
        let full = max + LOG_SEGMENTS_SLOWEST * (64 << 20);
        assert_eq!(bound.slowness(full), bound.slowness(u64::MAX));
        assert!(bound.slowness(full - 1) < bound.slowness(full));
    }

    #[test]
    fn a_delay_follows_the_bytes_and_has_an_end() {
        let most = Bound::new(0, 4096).slowness(u64::MAX);
        assert_eq!(delay(0, u64::MAX), Duration::ZERO);
        assert_eq!(delay(most, MIB), Duration::from_millis(WRITE_DELAY_MS_PER_MIB_MAX));
        assert_eq!(delay(most, u64::MAX), Duration::from_millis(WRITE_DELAY_MS_MAX));
    }
}
