//! Checksums of what a store holds at a revision.
//!
//! The checksum is a CRC-32 (IEEE) over the encoded `mvccpb.KeyValue`s that a Range of everything would return at that
//! revision, in key order. So it is the same before and after a restart or a compaction, and at two stores that hold the
//! same versions under the same revisions; it is not comparable with that of another etcd server, whose checksum covers
//! its files' content.

use crate::paging::Pages;
use archipel_store::{View, error::RequestError};

/// The checksum at `revision`; 0 = the view's own. Costs a read of everything; blocks.
///
/// # Errors
/// The revision is compacted, or in the future.
pub(super) fn at(view: &View, revision: i64) -> Result<u32, RequestError> {
    let mut hasher = crc32fast::Hasher::new();
    for page in Pages::new(view.clone(), revision) {
        page?.iter().for_each(|kv| hasher.update(kv));
    }
    Ok(hasher.finalize())
}
