//! The few numbers that several rounds are reduced to.

/// The middle of several rounds, with their extremes. Not a mean: one disturbed round must not move it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Summarises the rounds; `None` when there is none, or one is not a number.
pub(crate) fn summarise(rounds: impl IntoIterator<Item = f64>) -> Option<Summary> {
    let mut rounds: Vec<f64> = rounds.into_iter().collect();
    if rounds.iter().any(|round| round.is_nan()) {
        return None;
    }
    rounds.sort_by(f64::total_cmp);
    let (min, max) = (*rounds.first()?, *rounds.last()?);
    let upper = *rounds.get(rounds.len() / 2)?;
    let lower = *rounds.get((rounds.len() - 1) / 2)?;
    Some(Summary { median: lower.midpoint(upper), min, max })
}

/// Summarises the ratios of the rounds of two servers, round by round: both of a round saw the same machine, so what
/// disturbed them both cancels out. Rounds that only one of them has are left out.
pub(crate) fn summarise_ratios(of: &[f64], to: &[f64]) -> Option<Summary> {
    summarise(of.iter().zip(to).map(|(of, to)| of / to)).filter(|summary| summary.max.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_odd_and_even_counts() {
        let odd = summarise([9.0, 1.0, 5.0]).unwrap();
        assert_eq!(odd, Summary { median: 5.0, min: 1.0, max: 9.0 });
        let even = summarise([4.0, 1.0, 2.0, 100.0]).unwrap();
        assert_eq!(even, Summary { median: 3.0, min: 1.0, max: 100.0 });
        assert_eq!(summarise([7.0]).unwrap().median, 7.0);
        assert_eq!(summarise([]), None);
        assert_eq!(summarise([1.0, f64::NAN]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // A machine that is twice as slow in the second round changes nothing.
        let ratio = summarise_ratios(&[200.0, 100.0, 220.0], &[100.0, 50.0, 100.0]).unwrap();
        assert_eq!(ratio, Summary { median: 2.0, min: 2.0, max: 2.2 });
        assert_eq!(summarise_ratios(&[1.0], &[]), None);
        assert_eq!(summarise_ratios(&[0.0], &[0.0]), None);
        assert_eq!(summarise_ratios(&[1.0], &[0.0]), None);
    }
}
