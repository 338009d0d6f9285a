//! Local revisions. They never leave the site.

/// A store revision: `main` counts write requests from 1 (the empty store), `sub` orders the events of one request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Revision {
    /// What clients see.
    pub main: i64,
    /// Order inside one write request, from 0.
    pub sub: i64,
}

impl Revision {
    /// The revision of an empty store (etcd: server/storage/mvcc/kvstore.go starts at 1).
    pub const EMPTY_STORE: i64 = 1;
}
