//! Slows clients while the log is larger than it may be: their batches are durable and published as ever, but those who
//! wait for them are told later. Cleaning's own batches are not held, so the log shrinks meanwhile.

use super::completion::Completion;
use super::sync::Arc;
use crate::limits::WRITE_DELAY_MS_MAX;
use crate::log::delay;
use std::collections::VecDeque;
use std::time::Duration;

/// Owned by the log-writer thread.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    held: VecDeque<(Duration, Arc<Completion>)>,
    /// When what was acknowledged so far is paid for. One account for all batches: many small ones are slowed as much
    /// as a large one.
    paid_at: Duration,
}

impl Throttle {
    /// Completes a batch of so many bytes of clients', now or later.
    pub(super) fn complete(&mut self, completion: &Arc<Completion>, slowness: u64, bytes: u64, now: Duration) {
        let delay = delay(slowness, bytes);
        if delay.is_zero() {
            completion.complete(Ok(()));
            return;
        }
        self.paid_at = (self.paid_at.max(now) + delay).min(now + Duration::from_millis(WRITE_DELAY_MS_MAX));
        self.held.push_back((self.paid_at, completion.clone()));
    }

    /// Completes what has waited long enough; true if something still waits.
    pub(super) fn release(&mut self, now: Duration) -> bool {
        while self.held.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, completion)) = self.held.pop_front() {
                completion.complete(Ok(()));
            }
        }
        !self.held.is_empty()
    }
}

impl Drop for Throttle {
    /// All of it is durable and published.
    fn drop(&mut self) {
        self.held.drain(..).for_each(|(_, completion)| completion.complete(Ok(())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn batches_are_acknowledged_one_after_the_other_and_after_a_while_at_the_latest() {
        let mut throttle = Throttle::default();
        let batches: Vec<Arc<Completion>> = (0..4).map(|_| Completion::new()).collect();
        let done = || batches.iter().filter(|batch| batch.outcome().is_some()).count();
        // 1 ms a MiB.
        for (batch, bytes) in batches.iter().zip([1 << 20, 2 << 20, 0, 1 << 60]) {
            throttle.complete(batch, 1_000_000, bytes, MS);
        }
        assert_eq!(done(), 1, "cleaning's own");
        assert!(throttle.release(2 * MS));
        assert_eq!(done(), 2);
        throttle.release(4 * MS);
        assert_eq!(done(), 3);
        assert!(!throttle.release(MS + Duration::from_millis(WRITE_DELAY_MS_MAX)));
        assert_eq!(done(), 4);
    }
}
