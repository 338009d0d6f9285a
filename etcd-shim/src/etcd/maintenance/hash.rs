//! Checksums of what a store holds at a revision.
//!
//! The checksum is a CRC-32 (IEEE) over the encoded `mvccpb.KeyValue`s that a Range of everything would return at that
//! revision, in key order. So it is the same before and after a restart or a compaction, and at two stores that hold the
//! same versions under the same revisions; it is not comparable with that of another etcd server, whose checksum covers
//! its files' content.

use crate::etcd::range_stream::{key_of, successor};
use archipel_store::{View, error::RequestError, mvcc::RangeRequest};
use bytes::Bytes;

/// Key and end of the whole keyspace.
const EVERYTHING: &[u8] = &[0];
/// Versions that are held in memory at a time.
const PAGE_KEYS: i64 = 2_000;

/// The checksum at `revision`; 0 = the view's own. Costs a read of everything; blocks.
///
/// # Errors
/// The revision is compacted, or in the future.
pub(super) fn at(view: &View, revision: i64) -> Result<u32, RequestError> {
    let mut request = RangeRequest {
        key: Bytes::from_static(EVERYTHING),
        range_end: Bytes::from_static(EVERYTHING),
        limit: PAGE_KEYS,
        revision,
        ..RangeRequest::default()
    };
    let mut hasher = crc32fast::Hasher::new();
    loop {
        let page = view.range(&request)?;
        page.kvs.iter().for_each(|kv| hasher.update(kv));
        let next = page.kvs.last().and_then(key_of);
        match next {
            Some(last) if page.more => request.key = successor(&last),
            _ => return Ok(hasher.finalize()),
        }
    }
}
