//! Delta debugging: the fewest requests that still show a difference, each attempt on fresh servers.

use super::{
    compare::Difference,
    request::{Request, Step},
    run::{Outcome, Pair, Settings, run},
};
use std::{
    io,
    time::{Duration, Instant},
};

/// No attempt starts after this time; each starts two servers.
const PATIENCE: Duration = Duration::from_secs(300);

/// The fewest steps found that end in the same difference as `steps`, and that difference.
///
/// # Errors
/// A server does not start.
pub fn shrink(
    pair: &Pair,
    steps: &[Step],
    failure: &(Request, Vec<Difference>),
    settings: Settings,
) -> io::Result<(Vec<Step>, Vec<Difference>)> {
    let settings = Settings { verbose: false, ..settings };
    let mut search = Search { pair, settings, sought: places(&failure.1), began: Instant::now() };
    // One request a step: an attempt is then a list of requests.
    let mut best: Vec<Step> = steps.iter().flatten().map(|request| vec![request.clone()]).collect();
    // The fault in a concurrent step stands before the step's other requests.
    if let Some(end) = best.iter().rposition(|step| step.first() == Some(&failure.0)) {
        best.truncate(end + 1);
    }
    let mut differences = failure.1.clone();
    // Most faults need only what came shortly before.
    let mut length = 1;
    while length < best.len() {
        let suffix = best.get(best.len() - length..).unwrap_or_default().to_vec();
        if let Some(found) = search.attempt(&suffix)? {
            (best, differences) = (suffix, found);
            break;
        }
        length *= 4;
    }
    let mut size = best.len().div_ceil(2);
    while size > 0 && best.len() > 1 {
        let mut smaller = false;
        let mut start = 0;
        while start < best.len() {
            let mut candidate = best.clone();
            candidate.drain(start..(start + size).min(best.len()));
            match if candidate.is_empty() { None } else { search.attempt(&candidate)? } {
                Some(found) => {
                    (best, differences) = (candidate, found);
                    smaller = true;
                }
                None => start += size,
            }
        }
        if size == 1 && !smaller {
            break;
        }
        size = if size == 1 { 1 } else { size.div_ceil(2) };
    }
    Ok((best, differences))
}

struct Search<'a> {
    pair: &'a Pair,
    settings: Settings,
    sought: Vec<(&'static str, String)>,
    began: Instant,
}

impl Search<'_> {
    /// The differences, if these steps still show one that is sought.
    fn attempt(&mut self, steps: &[Step]) -> io::Result<Option<Vec<Difference>>> {
        if self.began.elapsed() > PATIENCE {
            return Ok(None);
        }
        let Outcome { failure, .. } = run(self.pair, steps.iter().cloned(), self.settings)?;
        let found = failure.map(|(_, differences)| differences);
        Ok(found.filter(|differences| places(differences).iter().any(|place| self.sought.contains(place))))
    }
}

/// Where the unexplained differences are.
fn places(differences: &[Difference]) -> Vec<(&'static str, String)> {
    let unexplained = differences.iter().filter(|difference| difference.reason.is_none());
    unexplained.map(|difference| (difference.method, difference.place())).collect()
}
