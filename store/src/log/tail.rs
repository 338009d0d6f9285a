//! The last batch, at a start. What lies before it was durable, for that batch was written later. The batch itself may be
//! in the page cache only: the process may have died before the sync, or the sync failed and the kernel keeps pages that
//! it takes for clean. So a start writes the batch again, as it has read it, and syncs it, before anything relies on it.

use super::format::SEGMENT_HEADER_BYTES;
use super::segments::Segment;
use super::walk::Flip;
use std::io;

/// Where a log ends, as a replay saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tail {
    /// The last frame's.
    pub(crate) generation: u32,
    /// Where the last frame's batch begins in its segment.
    pub(crate) batch_begin: u32,
}

impl Tail {
    /// Makes the last batch durable, with the bit turned that had flipped. `end` is where it ends.
    pub(crate) fn write_again(self, segment: &Segment, end: u32, mended: Option<Flip>) -> io::Result<()> {
        // A segment's first batch was written with the header, of which a bit may have been turned already.
        let begin = if self.batch_begin <= SEGMENT_HEADER_BYTES { 0 } else { self.batch_begin };
        let mut bytes = vec![0; end.saturating_sub(begin) as usize];
        segment.file.read_exact_at(&mut bytes, u64::from(begin))?;
        if begin == 0 {
            bytes.iter_mut().zip(segment.header.encode()).for_each(|(byte, right)| *byte = right);
        }
        if let Some(Flip { at, bit }) = mended
            && let Some(byte) = at.offset.checked_sub(begin).and_then(|at| bytes.get_mut(at as usize))
        {
            *byte ^= 1 << bit;
        }
        segment.file.write_all_at(&bytes, u64::from(begin))?;
        segment.file.sync_data()
    }
}
