//! A place between two frames.

use std::fmt;

/// A place between two frames of the log: where one ends and the next begins. Ordered as the log is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct LogPoint {
    /// Sequence number of the segment, from 1.
    pub segment: u64,
    /// Byte offset in the segment.
    pub offset: u32,
}

impl fmt::Display for LogPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {} offset {}", self.segment, self.offset)
    }
}
