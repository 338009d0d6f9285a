//! Why a log does not open.

use super::codec::CodecError;
use super::failure::Fatal;
use super::point::LogPoint;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a log was not opened. Nothing was changed, except that an unfinished batch at its end may be cut.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process uses the directory, or it may not be used.
    #[error("cannot use {}: {source}", dir.display())]
    Dir {
        /// The log's directory.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("{action} {} failed: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log is damaged where it was durable.
    #[error(
        "the commit log is damaged: {} at offset {offset}: {reason}. Data that was acknowledged lies behind it, so the \
         site does not start without it. Keep a copy of the directory, then restore this site from a snapshot or from a peer",
        path.display()
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
        /// Where in it.
        offset: u32,
        /// What is wrong.
        reason: String,
    },
    /// A segment is gone.
    #[error(
        "segment {sequence} of the commit log is missing in {}. Put it back, or restore this site from a snapshot or from a peer",
        dir.display()
    )]
    Missing {
        /// The log's directory.
        dir: PathBuf,
        /// The segment's number.
        sequence: u64,
    },
    /// A segment of another log, or of another version.
    #[error("{} does not belong here: {reason}", path.display())]
    Foreign {
        /// The segment.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A record that was written whole cannot be read.
    #[error("the record at {at} of the commit log cannot be read: {source}")]
    Record {
        /// Where it lies.
        at: LogPoint,
        /// What is wrong.
        source: CodecError,
    },
    /// The log does not hold the place that the checkpoint names. Replay from the oldest segment instead.
    #[error("the commit log has no record edge at {0}")]
    NoSuchPoint(LogPoint),
    /// The first write failed.
    #[error(transparent)]
    Stopped(#[from] Fatal),
}
