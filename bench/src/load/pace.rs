//! Requests at a fixed rate: who waits for its turn, and when the next turn is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A client by its lane and its slot in it.
pub(super) type Place = (usize, usize);

/// The pace of one group of clients.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    due: Instant,
    idle: VecDeque<Place>,
}

impl Pace {
    /// `rate` turns a second, the first one now.
    pub(super) fn new(rate: f64, now: Instant) -> Pace {
        Pace { every: Duration::from_secs_f64(1.0 / rate), due: now, idle: VecDeque::new() }
    }

    /// The client has nothing under way.
    pub(super) fn rest(&mut self, place: Place) {
        self.idle.push_back(place);
    }

    /// The next client whose turn has come. When no client is idle, turns pile up and are taken later: a server that
    /// stops for a while is asked all that it missed.
    pub(super) fn turn(&mut self, now: Instant) -> Option<Place> {
        if self.due > now {
            return None;
        }
        let place = self.idle.pop_front()?;
        self.due += self.every;
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_at_the_rate_and_are_caught_up() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000.0, start);
        assert_eq!(pace.turn(start), None, "nobody is idle");
        for slot in 0..3 {
            pace.rest((0, slot));
        }
        let later = start + Duration::from_micros(1_500);
        assert_eq!([pace.turn(later), pace.turn(later), pace.turn(later)], [Some((0, 0)), Some((0, 1)), None]);
        assert_eq!(pace.turn(start + Duration::from_millis(2)), Some((0, 2)));
    }
}
