//! How long a dialer waits: exponential, jittered, capped. Pure: randomness comes in as an argument.

use super::limits::{BACKOFF_CAP_MS, BACKOFF_START_MS};

/// The waits of one dialer.
#[derive(Clone, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure, in milliseconds: between a half and all of start × 2^failures, at most the cap.
    /// `random` is any number; equal distribution of it spreads the dialers of a reconnect storm.
    pub fn next_ms(&mut self, random: u64) -> u64 {
        let doubled = BACKOFF_START_MS.checked_shl(self.failures.min(32)).unwrap_or(BACKOFF_CAP_MS);
        self.failures = self.failures.saturating_add(1);
        let longest = doubled.min(BACKOFF_CAP_MS);
        let shortest = longest / 2;
        shortest + random % (longest - shortest + 1)
    }

    /// The link was up: the next failure waits the shortest time.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_start_over_after_a_reset() {
        let mut backoff = Backoff::default();
        let longest: Vec<u64> = (0..12).map(|_| backoff.next_ms(u64::MAX - 1)).collect();
        assert!(longest.first().is_some_and(|&ms| ms <= BACKOFF_START_MS));
        assert!(longest.iter().all(|&ms| ms <= BACKOFF_CAP_MS));
        for _ in 0..100 {
            let ms = backoff.next_ms(7);
            assert!((BACKOFF_CAP_MS / 2..=BACKOFF_CAP_MS).contains(&ms));
        }
        backoff.reset();
        assert!(backoff.next_ms(u64::MAX) <= BACKOFF_START_MS);
    }

    #[test]
    fn jitter_covers_the_upper_half() {
        let waits: Vec<u64> = (0..=BACKOFF_START_MS).map(|random| Backoff::default().next_ms(random)).collect();
        assert_eq!(waits.iter().min(), Some(&(BACKOFF_START_MS / 2)));
        assert_eq!(waits.iter().max(), Some(&BACKOFF_START_MS));
    }
}
