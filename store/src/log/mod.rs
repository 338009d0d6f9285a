//! The commit log: what is true.
//!
//! A [`Record`] goes through these files in this order: `appender` puts it into a frame of the batch in memory,
//! `syncer` makes the batch durable, `reader` serves its pieces, `recovery` replays it after a restart, `cleaning`
//! gives its segment back when `bound` says so, after `relocation` has saved what is live. `format` draws what is on the disk.

mod point;
mod record;

mod codec;
mod format;

mod failure;
mod first;
mod flipped;
mod options;
mod segments;
mod space;

mod appender;
mod syncer;

mod pin;
mod reader;

mod open_error;
mod recovery;
mod replay;
mod tail;
mod walk;

mod bound;
mod cleaning;
mod relocation;

pub use appender::{AppendError, Appended, Appender, Batch};
pub use bound::Bound;
pub use cleaning::{CleanError, Cleaner, LiveBytes, used_bytes};
pub use codec::CodecError;
pub use failure::Fatal;
pub use open_error::OpenError;
pub use options::Options;
pub use point::LogPoint;
pub use reader::{ReadError, ReadPin, Reader};
pub use record::{Event, EventKind, Moved, Position, Record, Table, TableWrite};
pub use recovery::{Log, Parts, Recovery};
pub use relocation::{Candidates, Liveness, Relocated};
pub use replay::{Progress, ReplaySummary, Replayed, Torn};
pub use segments::SegmentInfo;
pub use syncer::Syncer;

pub(crate) use bound::delay;
pub(crate) use first::{FIRST_NAME, First};
pub(crate) use flipped::segment_header as flipped_segment_header;
pub(crate) use format::{
    FORMAT_VERSION, FrameKind, HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader, number_in, segment_name,
};
pub(crate) use segments::{Segment, Segments};
pub use walk::Flip;
pub(crate) use walk::{Frame, Walk};
