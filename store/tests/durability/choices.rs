//! What the programme chooses.

use crate::random::Random;
use bytes::Bytes;

impl Random {
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// A value that no other call makes, of a size that now and then needs a segment of its own.
    pub(crate) fn value(&mut self) -> Bytes {
        let length = match self.below(60) {
            0 => 6_000,
            1..=4 => 1_200,
            _ => 8 + self.below(160),
        };
        self.bytes(length)
    }
}
