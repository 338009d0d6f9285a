//! Every bound of the store, by name. A test for the full case stands beside each user.

/// Commits that may wait for the log writer; above, requests are refused (etcd: maxGapBetweenApplyAndCommitIndex).
pub const COMMIT_BACKLOG_MAX: usize = 5_000;
/// Bytes that may wait for the log writer; above, requests are refused.
pub const COMMIT_BACKLOG_BYTES_MAX: usize = 256 << 20;
/// A lone commit is written on its client's thread while writing a batch takes no longer than this. On a slower disk
/// the thread has other clients to serve meanwhile.
pub const INLINE_WRITE_US_MAX: u64 = 500;
/// Highest TTL of a lease in seconds (etcd: lease.MaxLeaseTTL).
pub const LEASE_TTL_MAX_S: i64 = 9_000_000_000;
/// How often leases are checked for expiry (etcd: lessor's 500 ms loop).
pub const LEASE_EXPIRY_INTERVAL_MS: u64 = 500;
/// Leases revoked by one expiry check; the rest waits for the next (etcd: leaseRevokeRate, 1000 a second).
pub const LEASE_EXPIRIES_PER_CHECK_MAX: usize = 500;
/// History events looked at in one slice of a compaction, under the sequencer's lock.
pub const COMPACTION_SLICE_EVENTS: usize = 256;
/// How long the maintenance thread leaves the lock to others between two slices.
pub const COMPACTION_PAUSE_US: u64 = 50;
/// Versions and rows that cleaning copies in one hold of the sequencer's lock, into one record.
pub const CLEANING_BATCH_PIECES: usize = 32;
/// Bytes that it copies so, about.
pub const CLEANING_BATCH_BYTES: usize = 128 << 10;
/// Batches that cleaning has on the way to the disk, when it is urgent; one otherwise.
pub const CLEANING_BATCHES_IN_FLIGHT_MAX: usize = 8;
/// How long cleaning rests after a batch while clients write and it is not urgent at all; the more urgent, the shorter. A
/// log that is allowed to grow has less that is live in its oldest segment.
pub const CLEANING_PAUSE_MS_MAX: u64 = 16;
/// How long it rests at most while nobody else writes.
pub const CLEANING_PAUSE_IDLE_MS: u64 = 1;
/// The log is cleaned while its frames take more than this share of the live bytes, in percent …
pub const LOG_PERCENT_OF_LIVE_GOAL: u64 = 150;
/// … and so many segments.
pub const LOG_SEGMENTS_GOAL: u64 = 1;
/// Writes wait for cleaning while the log's frames take more than this share of the live bytes, in percent …
pub const LOG_PERCENT_OF_LIVE_MAX: u64 = 200;
/// … and so many segments.
pub const LOG_SEGMENTS_MAX: u64 = 2;
/// So many segments above that, they wait longest.
pub const LOG_SEGMENTS_SLOWEST: u64 = 2;
/// The longest wait for a MiB: cleaning frees more than 16 MiB/s.
pub const WRITE_DELAY_MS_PER_MIB_MAX: u64 = 64;
/// The longest wait of one batch: who has more than 32 MiB in flight is not slowed further.
pub const WRITE_DELAY_MS_MAX: u64 = 2_000;
/// How often the log writer looks whether a batch has waited long enough.
pub const WRITE_DELAY_STEP_MS: u64 = 1;
/// How often the maintenance thread looks for work.
pub const MAINTENANCE_INTERVAL_MS: u64 = 250;
/// Changes of index rows that may wait for a checkpoint; above, one is made at once.
pub const CHECKPOINT_DIRTY_MAX: usize = 1_000_000;
/// Log behind the last checkpoint, which a start replays, when the configuration does not say. At more than 500 MB/s it
/// is a tenth of a second; what is written while one checkpoint runs comes on top.
pub const CHECKPOINT_LOG_BYTES_DEFAULT: u64 = 64 << 20;
/// Rows of one index batch.
pub const CHECKPOINT_BATCH_ROWS: usize = 128;
/// Keys of one block of the index.
pub const BLOCK_KEYS: usize = 128;
/// Keys that checkpoints add to the index, beyond half of what is there, before it is written anew.
pub const INDEX_DELTA_KEYS_MIN: u64 = 64 << 10;
/// How many times larger than at its beginning the index may be on the disk before it is written anew …
pub const INDEX_GROWTH_MAX: u64 = 3;
/// … and so many bytes.
pub const INDEX_GROWTH_BYTES_MIN: u64 = 16 << 20;

/// Segments that the disk must have room for; below, what grows the store is refused …
pub const DISK_RESERVE_SEGMENTS: u64 = 3;
/// … and so many bytes at least: a checkpoint of the index needs some, too.
pub const DISK_RESERVE_BYTES_MIN: u64 = 64 << 20;

/// Bytes of closed segments that the scrub reads in a second when the configuration does not say: 64 GiB in five hours, at
/// some thousandths of a processor.
pub const SCRUB_BYTES_PER_SECOND_DEFAULT: u64 = 4 << 20;
/// How often the scrub reads.
pub const SCRUB_INTERVAL_MS: u64 = 250;
/// From the beginning of one pass of the scrub to that of the next, at least: a small log is not read all the time.
pub const SCRUB_PASS_INTERVAL_MS: u64 = 3_600_000;
/// Damaged places that a verification tells; the rest is counted.
pub const DAMAGE_TOLD_MAX: usize = 1_000;
/// Lost keys that are named for one of them.
pub const LOST_KEYS_NAMED_MAX: usize = 20;
/// Differences between index and log that a verification tells; the rest is counted.
pub const DIFFERENCES_TOLD_MAX: usize = 20;

/// Largest payload of one frame of the log. A frame larger than a segment gets an oversized segment of its own.
pub const FRAME_PAYLOAD_BYTES_MAX: u32 = 32 << 20;

/// Size of a log segment when the configuration does not say.
pub const SEGMENT_BYTES_DEFAULT: u32 = 64 << 20;

/// Smallest segment size that may be configured.
pub const SEGMENT_BYTES_MIN: u32 = 4 << 10;

/// Largest segment size that may be configured, so that offsets fit 32 bits with room for an oversized frame.
pub const SEGMENT_BYTES_MAX: u32 = 1 << 30;

/// Size of a new store's first segment. The following ones grow by [`SEGMENT_GROWTH`] up to the configured size: an
/// empty start is quick, and a small store is small on disk.
pub const SEGMENT_FIRST_BYTES: u32 = 256 << 10;

/// How many times larger than its predecessor a segment may be.
pub const SEGMENT_GROWTH: u32 = 4;

/// Largest last record of the log of which a start finds out whether one bit of it flipped. See `log::flipped`.
pub const FLIP_SEARCH_BYTES_MAX: usize = 64 << 10;

/// Segments that are zero-filled ahead of use.
pub const SPARE_SEGMENTS_READY: usize = 1;

/// Freed segments that wait for recycling, beside what is ready; the rest is deleted.
pub const SPARE_SEGMENTS_MAX: usize = 1;

/// One write or read of a bulk operation on a segment (zero-filling, recovery).
pub const SEGMENT_CHUNK_BYTES: usize = 1 << 20;

/// Bytes of resident values when the configuration does not say. Far more than what watchers and controllers look at
/// again within seconds, and little beside the index of a site that needs a bound at all; the page cache holds the rest.
pub const VALUE_CACHE_BYTES_DEFAULT: u64 = 64 << 20;

/// What a resident value costs beside its bytes: two shared pointers and its place in the ring.
pub const VALUE_OVERHEAD_BYTES: u64 = 96;

/// Values of a list that lie at most this far apart in the log are read with one call.
pub const READ_RUN_GAP_BYTES_MAX: u32 = 4 << 10;

/// Most bytes that such a call reads, unless one value is larger.
pub const READ_RUN_BYTES_MAX: u32 = 1 << 20;

/// Largest table value that the index keeps inline; larger ones are read from the log.
pub const TABLE_INLINE_BYTES_MAX: usize = 256;

/// The index engine's own cache.
pub const INDEX_CACHE_BYTES: u64 = 24 << 20;

/// How long the log waits before it tries again to prepare a segment, after the disk refused.
pub const PREPARE_RETRY_MS: u64 = 1_000;

/// What a live version or row costs in the log beyond its key and value, for the accounting of live bytes.
pub const LIVE_OVERHEAD_BYTES: u64 = 40;

/// Largest value that a merge writes: etcd's default request limit, so that kube-apiserver can write the object again.
pub const MATERIALISED_BYTES_MAX: usize = 1_572_864;

/// Objects that become entries in one record when a namespace is attached.
pub const IMPORT_OBJECTS_MAX: usize = 64;

/// Bytes of such objects in one record (one object may be larger).
pub const IMPORT_BYTES_MAX: usize = 4 << 20;

/// Entries that one call applies; the caller asks again for the rest.
pub const ABSORB_ENTRIES_MAX: usize = 1_024;

/// Acknowledged entries are dropped from a share's log when they are this many, or all.
pub const TRIM_ENTRIES_MIN: usize = 64;

/// Conflicts kept a share; the oldest go first.
pub const CONFLICTS_MAX: usize = 1_000;

/// How far ahead of this site's clock an entry's time may be before it is applied.
pub const CLOCK_DRIFT_MAX_MS: u64 = 300_000;

/// Bytes of one record of an import (one version may be larger).
pub const IMPORT_RECORD_BYTES: usize = 256 << 10;

/// Bytes that an import writes at once.
pub const IMPORT_BATCH_BYTES: usize = 4 << 20;
