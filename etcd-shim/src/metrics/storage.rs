//! What the store's cache of values and its scrub did, read when Prometheus asks. Ours: etcd has neither.

use archipel_store::Store;
use prometheus::{IntCounter, IntGauge, Registry};

/// Milliseconds of a second.
const SECOND_MS: u64 = 1_000;

/// The store's own metrics.
#[derive(Clone, Debug)]
pub(super) struct StorageMetrics {
    cache_bytes: IntGauge,
    cache_hits: IntCounter,
    cache_misses: IntCounter,
    unreadable: IntCounter,
    scrub_bytes: IntCounter,
    scrub_errors: IntCounter,
    scrub_lost: IntCounter,
    scrub_last_pass_seconds: IntGauge,
}

impl StorageMetrics {
    /// Registers them.
    ///
    /// # Errors
    /// A name is registered already.
    pub(super) fn register(registry: &Registry) -> prometheus::Result<StorageMetrics> {
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        Ok(StorageMetrics {
            cache_bytes: gauge("archipel_value_cache_bytes", "Bytes of values in memory.")?,
            cache_hits: counter("archipel_value_cache_hits_total", "Values that were found in memory.")?,
            cache_misses: counter("archipel_value_cache_misses_total", "Values that were read from the commit log.")?,
            unreadable: counter(
                "archipel_value_unreadable_total",
                "Values that could not be read from the commit log.",
            )?,
            scrub_bytes: counter("archipel_scrub_bytes_total", "Bytes of the commit log that the scrub has checked.")?,
            scrub_errors: counter("archipel_scrub_errors_total", "Damaged places that the scrub has found.")?,
            scrub_lost: counter("archipel_scrub_lost_total", "Those of them in which a value that is needed is lost.")?,
            scrub_last_pass_seconds: gauge(
                "archipel_scrub_last_pass_timestamp_seconds",
                "When the scrub last ended a pass through the commit log, in seconds since 1970; 0 = not yet.",
            )?,
        })
    }

    /// Sets them to what the store says.
    pub(super) fn read(&self, store: &Store) {
        let (cache, scrub) = (store.value_cache_stats(), store.scrub_status());
        let set = |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        // What is read only grows; two scrapes at once may read it in either order.
        let count = |counter: &IntCounter, value: u64| counter.inc_by(value.saturating_sub(counter.get()));
        set(&self.cache_bytes, cache.resident_bytes);
        count(&self.cache_hits, cache.hits);
        count(&self.cache_misses, cache.reads);
        count(&self.unreadable, cache.errors);
        count(&self.scrub_bytes, scrub.bytes);
        count(&self.scrub_errors, scrub.errors);
        count(&self.scrub_lost, scrub.lost);
        set(&self.scrub_last_pass_seconds, scrub.last_pass_unix_ms / SECOND_MS);
    }
}
