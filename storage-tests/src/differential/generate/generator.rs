//! Which request comes next.

use super::{
    super::random::Random,
    super::request::{Request, Step},
    kv, lease, malformed, txn,
    watch::Watches,
};

/// Most requests that only read in one step.
const READS_MAX: usize = 8;
/// Leases that exist at the most.
pub(super) const LEASES: i64 = 6;

/// An endless stream of steps.
#[derive(Clone, Debug)]
pub struct Generator {
    random: Random,
    watches: Watches,
    next: Option<Request>,
}

impl Generator {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Generator {
        Generator { random: Random::new(seed), watches: Watches::default(), next: None }
    }

    fn request(&mut self) -> Request {
        let random = &mut self.random;
        if let Some(action) = self.watches.due(random) {
            return action;
        }
        // Reads, stream reads, puts, deletes, transactions, compactions, leases, maintenance, malformed.
        match random.weighted(&[420, 50, 190, 60, 200, 4, 60, 12, 4]) {
            0 => Request::Range(kv::range(random)),
            1 => Request::RangeStream(kv::range_stream(random)),
            2 => Request::Put(kv::put(random)),
            3 => Request::DeleteRange(kv::delete_range(random)),
            4 => Request::Txn(txn::txn(random)),
            5 => Request::Compact(kv::compaction(random)),
            6 => lease::request(random),
            7 if random.percent(50) => Request::Status,
            7 => Request::HashKv(kv::revision(random)),
            _ => malformed::request(random),
        }
    }
}

impl Iterator for Generator {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let mut step = Step::new();
        loop {
            let request = match self.next.take() {
                Some(request) => request,
                None => self.request(),
            };
            if !request.only_reads() {
                if step.is_empty() {
                    return Some(vec![request]);
                }
                self.next = Some(request);
                return Some(step);
            }
            step.push(request);
            if step.len() == READS_MAX {
                return Some(step);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_stream() {
        let stream = |seed| Generator::new(seed).take(2000).collect::<Vec<_>>();
        assert_eq!(stream(7), stream(7));
        assert_ne!(stream(7), stream(8));
    }

    #[test]
    fn what_writes_stands_alone() {
        for step in Generator::new(3).take(5000) {
            assert!(step.len() == 1 || step.iter().all(Request::only_reads));
        }
    }
}
