//! What one run measured.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest time that the histogram tells apart from longer ones.
const LATENCY_MAX: Duration = Duration::from_secs(60);
/// Significant decimal digits of a latency.
const LATENCY_DIGITS: u8 = 3;

/// Counts and times of the measured window: neither warm-up nor draining.
#[derive(Debug, Clone)]
pub(crate) struct Measurement {
    /// What the replies that arrived in the window were worth, each checked: requests, keys, events.
    pub(crate) units: u64,
    pub(crate) elapsed: Duration,
    /// Processor time of the server in the window.
    pub(crate) server_cpu: Duration,
    /// Processor time of the generator in the window.
    pub(crate) generator_cpu: Duration,
    /// Resident memory of the server at the end of the window, while all calls are still open.
    pub(crate) server_memory_mib: f64,
    latency_ns: Histogram<u64>,
}

impl Measurement {
    pub(super) fn new() -> Measurement {
        let max = u64::try_from(LATENCY_MAX.as_nanos()).expect("invariant: a minute in nanoseconds fits");
        let latency_ns =
            Histogram::new_with_bounds(1, max, LATENCY_DIGITS).expect("invariant: the bounds are in order");
        let none = Duration::ZERO;
        Measurement {
            units: 0,
            elapsed: none,
            server_cpu: none,
            generator_cpu: none,
            server_memory_mib: 0.0,
            latency_ns,
        }
    }

    pub(super) fn record(&mut self, units: u64, latency: Duration) {
        self.units += units;
        self.latency_ns.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Units a second.
    pub(crate) fn throughput(&self) -> f64 {
        per(self.units as f64, self.elapsed.as_secs_f64())
    }

    /// The latency in milliseconds that the fraction `quantile` of the calls did not exceed.
    pub(crate) fn latency_ms(&self, quantile: f64) -> f64 {
        self.latency_ns.value_at_quantile(quantile) as f64 / 1e6
    }

    /// Microseconds of the server's processor time for a unit.
    pub(crate) fn server_cpu_us(&self) -> f64 {
        per(self.server_cpu.as_secs_f64() * 1e6, self.units as f64)
    }

    /// Microseconds of the generator's processor time for a unit.
    pub(crate) fn generator_cpu_us(&self) -> f64 {
        per(self.generator_cpu.as_secs_f64() * 1e6, self.units as f64)
    }
}

/// A quotient that is 0 for an empty window.
fn per(amount: f64, units: f64) -> f64 {
    if units > 0.0 { amount / units } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_calls_of_one_to_a_thousand_microseconds() {
        let mut measurement = Measurement::new();
        for microseconds in 1..=1_000 {
            measurement.record(1, Duration::from_micros(microseconds));
        }
        measurement.elapsed = Duration::from_millis(500);
        measurement.server_cpu = Duration::from_millis(20);
        measurement.generator_cpu = Duration::from_millis(4);
        assert_eq!(measurement.throughput(), 2_000.0);
        assert_eq!((measurement.server_cpu_us(), measurement.generator_cpu_us()), (20.0, 4.0));
        for (quantile, expected_ms) in [(0.5, 0.5), (0.99, 0.99), (0.999, 0.999)] {
            let found = measurement.latency_ms(quantile);
            assert!((found / expected_ms - 1.0).abs() < 0.002, "{quantile}: {found}");
        }
    }

    #[test]
    fn nothing_measured_divides_by_nothing() {
        let measurement = Measurement::new();
        assert_eq!((measurement.throughput(), measurement.server_cpu_us()), (0.0, 0.0));
    }

    #[test]
    fn a_latency_beyond_the_bound_counts_as_the_bound() {
        let mut measurement = Measurement::new();
        measurement.record(1, Duration::from_secs(1_000));
        assert_eq!(measurement.units, 1);
        assert!(measurement.latency_ms(1.0) >= 60_000.0);
    }
}
