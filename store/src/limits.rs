//! Every bound of the store, by name. A test for the full case stands beside each user.

/// Commits that may wait for the log writer; above, requests are refused (etcd: maxGapBetweenApplyAndCommitIndex).
pub const COMMIT_BACKLOG_MAX: usize = 5_000;
/// Bytes that may wait for the log writer; above, requests are refused.
pub const COMMIT_BACKLOG_BYTES_MAX: usize = 256 << 20;
/// Highest TTL of a lease in seconds (etcd: lease.MaxLeaseTTL).
pub const LEASE_TTL_MAX_S: i64 = 9_000_000_000;
/// How often leases are checked for expiry (etcd: lessor's 500 ms loop).
pub const LEASE_EXPIRY_INTERVAL_MS: u64 = 500;
/// Leases revoked by one expiry check; the rest waits for the next (etcd: leaseRevokeRate, 1000 a second).
pub const LEASE_EXPIRIES_PER_CHECK_MAX: usize = 500;
/// History events looked at in one slice of a compaction, under the sequencer's lock.
pub const COMPACTION_SLICE_EVENTS: usize = 1_000;
/// Versions copied by one record of segment cleaning.
pub const CLEANING_SLICE_VERSIONS: usize = 256;
/// Bytes copied by one record of segment cleaning (one version may be larger).
pub const CLEANING_SLICE_BYTES: usize = 1 << 20;
/// The log is cleaned while it holds more than this many bytes for each live byte.
pub const LOG_BYTES_PER_LIVE_BYTE_MAX: u64 = 3;
/// Segments that the log may hold whatever little of them is live.
pub const LOG_SEGMENTS_FREE: u64 = 4;
/// Changed index rows that may wait for a checkpoint; above, one is made at once.
pub const CHECKPOINT_DIRTY_MAX: usize = 200_000;
/// Rows of one index batch.
pub const CHECKPOINT_BATCH_ROWS: usize = 1_000;
