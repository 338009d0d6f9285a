//! How a log is kept.

use crate::limits::{SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN, SEGMENT_FIRST_BYTES, SEGMENT_GROWTH};

/// How a log is kept. May differ from one start to the next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Size of a segment in bytes; clamped to the limits and rounded down to whole pages. The first segments of a new store are smaller.
    pub segment_bytes: u32,
    /// Sync each batch. Without it a power cut loses acknowledged writes: for throw-away stores only.
    pub fsync: bool,
    /// Zero-fill the next segments ahead of use, on a thread of the log's own. The simulator turns it off.
    pub prepare_ahead: bool,
    /// Identity of the log, written to every segment of a new store: a segment of another log is refused. Let it be
    /// random. Ignored if the log exists.
    pub log_id: u64,
}

impl Default for Options {
    fn default() -> Self {
        Options { segment_bytes: SEGMENT_BYTES_DEFAULT, fsync: true, prepare_ahead: true, log_id: 0 }
    }
}

impl Options {
    /// The size of a segment by its sequence number: small ones first, so that an empty start is quick.
    pub(crate) fn capacity_of(&self, sequence: u64) -> u32 {
        let full =
            self.segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX) / SEGMENT_BYTES_MIN * SEGMENT_BYTES_MIN;
        let mut capacity = SEGMENT_FIRST_BYTES.min(full);
        let mut at = 1;
        while at < sequence && capacity < full {
            capacity = capacity.saturating_mul(SEGMENT_GROWTH).min(full);
            at += 1;
        }
        capacity
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_grow_to_the_configured_size_and_are_whole_pages() {
        let options = |segment_bytes| Options { segment_bytes, ..Options::default() };
        let capacities: Vec<u32> = (1..8).map(|sequence| options(64 << 20).capacity_of(sequence) >> 10).collect();
        assert_eq!(capacities, [256, 1024, 4096, 16384, 65536, 65536, 65536]);
        assert_eq!(options(0).capacity_of(9), SEGMENT_BYTES_MIN);
        assert_eq!(options(10_001).capacity_of(1), 8192);
        assert_eq!(options(u32::MAX).capacity_of(u64::MAX), SEGMENT_BYTES_MAX);
    }
}
