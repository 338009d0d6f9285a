//! Log lines on stderr, as etcd writes them: JSON objects with `level`, `ts` and `msg`, or text for people.

use crate::config::Config;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt};

/// Starts logging. A second call in one process (tests) changes nothing.
pub fn start(config: &Config) {
    let filter = EnvFilter::try_new(etcd_level(&config.log_level)).unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = registry().with(filter);
    let outcome = if config.log_json {
        registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
    } else {
        registry.with(fmt::layer().with_writer(std::io::stderr)).try_init()
    };
    drop(outcome);
}

/// etcd has levels that tracing does not have.
fn etcd_level(level: &str) -> &str {
    match level {
        "dpanic" | "panic" | "fatal" => "error",
        other => other,
    }
}
