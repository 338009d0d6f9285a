//! File descriptors bound the connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are kept for the store, the links and the listeners (etcd: server/embed/serve.go keeps 150).
const RESERVED: u64 = 150;
/// Most connections, however many descriptors there are: each costs buffers.
const CONNECTIONS_MAX: u64 = 16 * 1024;
/// Fewer are served even if descriptors are short: accepting then fails now and then, and is tried again.
const CONNECTIONS_MIN: u64 = 16;

/// How many connections may be open at one time. Raises this process's limit of descriptors as far as it may, as Go does.
#[must_use]
pub fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let current = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let most = current.unwrap_or(u64::MAX).saturating_sub(RESERVED).clamp(CONNECTIONS_MIN, CONNECTIONS_MAX);
    usize::try_from(most).unwrap_or(usize::MAX)
}
