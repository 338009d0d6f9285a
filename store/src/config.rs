//! What a site's operator decides about its store.

use crate::limits::{CHECKPOINT_LOG_BYTES_DEFAULT, SCRUB_BYTES_PER_SECOND_DEFAULT, VALUE_CACHE_BYTES_DEFAULT};
use std::path::PathBuf;

/// Settings of a store. `dir` and `site_name` have no sensible default; the others do.
#[derive(Clone, Debug)]
pub struct Config {
    /// The data directory. Made if absent.
    pub dir: PathBuf,
    /// The site's name, kept in the site table at the first open.
    pub site_name: String,
    /// kube-apiserver's `--etcd-prefix`: where the keys of Kubernetes objects begin.
    pub prefix: String,
    /// Size of one segment of the commit log.
    pub segment_bytes: u32,
    /// Lower requests are raised to it (etcd: ceil(1.5 x election timeout), 2 s with its defaults).
    pub min_lease_ttl_s: i64,
    /// Off: nothing survives a power cut. For tests and throw-away sites only.
    pub fsync: bool,
    /// A checkpoint of the index is made after this much log.
    pub checkpoint_bytes: u64,
    /// A checkpoint of the index is made after this time, if anything was written.
    pub checkpoint_interval_ms: u64,
    /// Bytes of values that stay in memory; the others are read from the log when somebody asks for them.
    pub value_cache_bytes: u64,
    /// Bytes of closed segments that are read and checked in a second, in the background; 0 = none.
    pub scrub_bytes_per_second: u64,
    /// Run the expiry, checkpoint, cleaning and scrub threads. A simulation turns them off and calls
    /// [`crate::Store::expire_leases`], [`crate::Store::maintain`] and [`crate::Store::scrub`] itself.
    pub background: bool,
}

impl Config {
    /// The defaults for a data directory and a site's name.
    pub fn new(dir: impl Into<PathBuf>, site_name: impl Into<String>) -> Config {
        Config {
            dir: dir.into(),
            site_name: site_name.into(),
            prefix: "/registry".to_owned(),
            segment_bytes: 64 << 20,
            min_lease_ttl_s: 2,
            fsync: true,
            checkpoint_bytes: CHECKPOINT_LOG_BYTES_DEFAULT,
            checkpoint_interval_ms: 60_000,
            value_cache_bytes: VALUE_CACHE_BYTES_DEFAULT,
            scrub_bytes_per_second: SCRUB_BYTES_PER_SECOND_DEFAULT,
            background: true,
        }
    }
}
