//! Bugs that tests plant to show that their judges find them. Without the feature `planted-bugs`, which only the tests of
//! this crate turn on, none can be planted and the compiler takes their code out.

/// A mistake that a store of this kind could make.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(feature = "planted-bugs"), allow(unreachable_pub))]
pub enum Bug {
    /// A batch is acknowledged when it is written; the next one's write syncs it (etcd issue 14370).
    AckBeforeSync,
    /// A segment gets its name, and the directory is not synced.
    SkippedDirectorySync,
    /// Compaction takes the deletes of exactly its revision away (etcd issues 18089, 19179).
    DeleteDroppedAtCompaction,
    /// A watcher tells the store's revision as progress while it has events to give (etcd issue 15220).
    EarlyProgress,
    /// A watcher that catches up in pieces begins a piece with the last event of the one before.
    DuplicateOnResync,
    /// Each operation of a transaction gets a revision of its own.
    TxnOverTwoRevisions,
}

#[cfg(feature = "planted-bugs")]
mod selector {
    use super::Bug;
    use std::sync::OnceLock;

    static PLANTED: OnceLock<Bug> = OnceLock::new();

    /// Plants a bug in every store of this process, for good: to be called in a process of the test's own.
    pub fn plant(bug: Bug) {
        let _ = PLANTED.set(bug);
    }

    pub(crate) fn is_planted(bug: Bug) -> bool {
        PLANTED.get() == Some(&bug)
    }
}

#[cfg(not(feature = "planted-bugs"))]
mod selector {
    pub(crate) const fn is_planted(_: super::Bug) -> bool {
        false
    }
}

pub(crate) use selector::is_planted;

#[cfg(feature = "planted-bugs")]
pub use selector::plant;
