//! One watcher of a stream and what the stream knows about it.

use archipel_store::watch::Watcher;

/// One watcher.
#[derive(Debug)]
pub(super) struct Watched {
    /// The cursor.
    pub(super) watcher: Watcher,
    /// The start revision that the client sent; 0 = the next one.
    pub(super) start_revision: i64,
    /// Everything up to this revision was sent, and there was nothing more when it was looked at last.
    pub(super) synced: Option<i64>,
    /// The client takes a large response in parts.
    pub(super) fragment: bool,
    /// The client wants periodic progress.
    pub(super) progress_notify: bool,
    /// No event since the last tick: the next tick notifies.
    pub(super) idle: bool,
}

impl Watched {
    /// The revision that a progress notification may carry: all events up to it were sent, and the watcher's start does
    /// not lie beyond it (etcd issue 20221: a progress below the start made clients resume too early).
    pub(super) fn progress(&self) -> Progress {
        match self.synced {
            None => Progress::Behind,
            Some(revision) if revision < self.start_revision => Progress::Future,
            Some(revision) => Progress::At(revision),
        }
    }
}

/// How far a watcher is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Progress {
    /// It still has events to send.
    Behind,
    /// It starts at a revision that does not exist yet.
    Future,
    /// Everything up to here was sent.
    At(i64),
}

/// The revision of a notification for the whole stream: none without watchers, none while one of them starts in the
/// future, not yet while one of them is behind.
pub(super) fn stream_progress(watchers: impl Iterator<Item = Progress>) -> Progress {
    // The order of the variants makes the worst watcher decide; no watcher is like one in the future.
    watchers.min().unwrap_or(Progress::Future)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_watcher_decides() {
        let of = |all: &[Progress]| stream_progress(all.iter().copied());
        assert_eq!(of(&[]), Progress::Future);
        assert_eq!(of(&[Progress::At(5), Progress::At(3)]), Progress::At(3));
        assert_eq!(of(&[Progress::At(5), Progress::Future]), Progress::Future);
        assert_eq!(of(&[Progress::At(5), Progress::Future, Progress::Behind]), Progress::Behind);
    }
}
