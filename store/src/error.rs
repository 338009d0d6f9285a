//! What can go wrong, one enum an operation. Texts here speak to operators; etcd's own texts live in `etcd-shim`.

use thiserror::Error;

/// Why a client's request was refused. The store is as it was.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The key is empty.
    #[error("the key is empty")]
    EmptyKey,
    /// `ignore_value` or `ignore_lease` on a key that does not exist, or a Txn operation that is empty.
    #[error("the key does not exist")]
    KeyNotFound,
    /// A read or watch below the compact revision, or a compaction at or below it.
    #[error("revision is compacted; the oldest one kept is {compact_revision}")]
    Compacted {
        /// The oldest revision that can be read.
        compact_revision: i64,
    },
    /// A read or compaction above the current revision.
    #[error("revision is in the future; the current one is {current_revision}")]
    FutureRevision {
        /// The store's revision.
        current_revision: i64,
    },
    /// The lease does not exist.
    #[error("the lease does not exist")]
    LeaseNotFound,
    /// A lease with this id exists.
    #[error("the lease exists already")]
    LeaseExists,
    /// TTL above the maximum.
    #[error("the lease's time to live is too large")]
    LeaseTtlTooLarge,
    /// The object belongs to a share that this site may not write, or another rule of sharing forbids the write.
    #[error("{0}")]
    ShareForbids(String),
    /// The change does not fit one frame of the log. Split it.
    #[error("the change is too large for one record of the commit log: {0}")]
    TooLarge(String),
    /// A stored value cannot be read back, or is not what was written. Other requests go on.
    #[error(
        "the version of revision {revision} cannot be read from the commit log: {reason}; run: archipel verify, and restore this site from a snapshot or from a peer"
    )]
    Unreadable {
        /// Its main revision.
        revision: i64,
        /// What is wrong.
        reason: String,
    },
    /// What permitted the request was changed before the request had its turn. Ask again.
    #[error("what permitted this request has changed meanwhile; ask again")]
    Overtaken,
    /// The disk is nearly full. Deletes and compactions are taken; what grows the store is not.
    #[error("the disk is nearly full: {0}")]
    NoSpace(String),
    /// Too many commits wait for the disk. Try again later.
    #[error("too many requests wait for the commit log; try again")]
    TooManyRequests,
    /// A write or sync failed earlier: this process acknowledges nothing any more. Restart it; recovery reads the log.
    #[error("the commit log failed and the site stopped acknowledging: {0}; restart it")]
    Stopped(String),
}

/// Why a store cannot be opened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The commit log cannot be opened or made.
    #[error(transparent)]
    Log(#[from] crate::log::OpenError),
    /// The index can neither be opened nor made anew.
    #[error(transparent)]
    Index(#[from] crate::index::IndexError),
    /// A version of the log cannot be read back.
    #[error(
        "the version of key {key:?} at revision {revision} cannot be read from the commit log: {reason}; restore this site from a snapshot or from a peer"
    )]
    Version {
        /// The key, as text.
        key: String,
        /// Its main revision.
        revision: i64,
        /// What is wrong.
        reason: String,
    },
    /// The index knows of records that the log does not hold any more.
    #[error(
        "the commit log ends at {end}, but records up to {indexed} were in it: segments are missing. Put them back, or restore this site from a snapshot or from a peer; only removing the index directory accepts the loss"
    )]
    LogCut {
        /// Up to where the index holds the log.
        indexed: crate::log::LogPoint,
        /// Where the log ends.
        end: crate::log::LogPoint,
    },
    /// A row of a share does not decode.
    #[error("the log holds {0}, which does not decode; this release is too old for it, or the site must be restored")]
    Share(String),
    /// The site's identity cannot be made durable.
    #[error("the site's identity cannot be stored: {0}")]
    Identity(RequestError),
    /// A thread cannot be started.
    #[error("cannot start the thread {name}: {source}; raise the limit on threads")]
    Thread {
        /// What it is for.
        name: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Why a snapshot cannot become a site.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The directory has a log.
    #[error("the directory holds a site already; name an empty one")]
    NotEmpty,
    /// The log cannot be made.
    #[error(transparent)]
    Open(#[from] crate::log::OpenError),
    /// The log refused a record.
    #[error(transparent)]
    Append(#[from] crate::log::AppendError),
    /// The log could not be written.
    #[error(transparent)]
    Write(#[from] crate::log::Fatal),
    /// Something that is no version.
    #[error("a version does not decode; the snapshot was not made by this program")]
    Version,
    /// The history is not in order.
    #[error("an event of revision {revision} comes after one of {after}; the snapshot was not made by this program")]
    Order {
        /// Its revision.
        revision: i64,
        /// The last one before.
        after: i64,
    },
}
