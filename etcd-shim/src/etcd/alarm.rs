//! The space alarm. When a write would pass the quota the alarm is raised, and writes that need space are refused until an
//! operator has made room and disarmed it (etcd: server/etcdserver/api/v3rpc/quota.go). The quota is held against the
//! bytes in use, which a compaction lowers. An alarm does not survive a restart; the next write over the quota
//! raises it again.

use super::{status::EtcdError, wire::PutRequest};
use archipel_store::Store;
use std::sync::atomic::{AtomicBool, Ordering};

/// What etcd adds to key and value for a version's own fields (server/storage/quota.go).
const VERSION_OVERHEAD_BYTES: usize = 256;
/// What etcd counts for a lease.
const LEASE_BYTES: usize = 64;

/// Quota and raised alarms.
#[derive(Debug)]
pub struct Alarms {
    quota_bytes: Option<u64>,
    no_space: AtomicBool,
    corrupt: AtomicBool,
}

/// A kind of alarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Alarm {
    /// The quota was reached.
    NoSpace,
    /// An operator said that the data are corrupt.
    Corrupt,
}

impl Alarms {
    /// No alarm; None = no quota.
    #[must_use]
    pub fn new(quota_bytes: Option<u64>) -> Alarms {
        Alarms { quota_bytes, no_space: AtomicBool::new(false), corrupt: AtomicBool::new(false) }
    }

    /// The quota in bytes; 0 = none.
    #[must_use]
    pub fn quota_bytes(&self) -> u64 {
        self.quota_bytes.unwrap_or(0)
    }

    /// The alarms that are raised.
    #[must_use]
    pub fn raised(&self) -> Vec<Alarm> {
        [Alarm::NoSpace, Alarm::Corrupt].into_iter().filter(|alarm| self.flag(*alarm).load(Ordering::Relaxed)).collect()
    }

    /// Raises or clears an alarm; says whether that changed it.
    pub fn set(&self, alarm: Alarm, raised: bool) -> bool {
        self.flag(alarm).swap(raised, Ordering::Relaxed) != raised
    }

    fn flag(&self, alarm: Alarm) -> &AtomicBool {
        match alarm {
            Alarm::NoSpace => &self.no_space,
            Alarm::Corrupt => &self.corrupt,
        }
    }

    /// Is there room for `bytes` more?
    ///
    /// # Errors
    /// No space, by the alarm or by the quota; the alarm is raised then.
    pub fn admit(&self, store: &Store, bytes: usize) -> Result<(), EtcdError> {
        if self.no_space.load(Ordering::Relaxed) {
            return Err(EtcdError::NoSpace);
        }
        let Some(quota) = self.quota_bytes else { return Ok(()) };
        if store.size().in_use_bytes.saturating_add(bytes as u64) < quota {
            return Ok(());
        }
        self.set(Alarm::NoSpace, true);
        tracing::warn!(quota, "the space quota is reached: writes are refused; compact, then disarm the alarm");
        Err(EtcdError::NoSpace)
    }
}

/// What a Put costs.
#[must_use]
pub fn put_bytes(request: &PutRequest) -> usize {
    request.key.len() + request.value.len() + VERSION_OVERHEAD_BYTES
}

/// What a lease costs.
#[must_use]
pub const fn lease_bytes() -> usize {
    LEASE_BYTES
}
