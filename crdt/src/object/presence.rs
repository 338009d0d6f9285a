//! The births of list items, and a deliberately wrong variant of them for the tests.

use super::node::Node;
use super::sorted::Sorted;
use crate::dot::Stamp;

#[cfg(not(test))]
mod real {
    use super::{Node, Sorted, Stamp};

    pub(in super::super) fn birth(stamp: Stamp) -> Stamp {
        stamp
    }

    pub(in super::super) fn removes_births() -> bool {
        true
    }

    pub(in super::super) fn revive(_: &mut Sorted<Stamp, Node>) {}

    pub(in super::super) fn bury(_: &mut Sorted<Stamp, Node>) {}
}

#[cfg(test)]
pub(super) use mutant::{birth, bury, removes_births, revive};
#[cfg(not(test))]
pub(super) use real::{birth, bury, removes_births, revive};

#[cfg(test)]
pub(crate) mod mutant {
    //! The mutant without presence: an item is there while it has content, so a concurrent change inside a removed item
    //! brings back half of it. It exists to prove that the laws notice.

    use super::{Node, Sorted, Stamp};
    use std::cell::Cell;

    thread_local! {
        static ON: Cell<bool> = const { Cell::new(false) };
    }

    /// Runs `work` with the mutant in place of the real rules, on this thread.
    pub(crate) fn with<T>(work: impl FnOnce() -> T) -> T {
        ON.set(true);
        let out = work();
        ON.set(false);
        out
    }

    pub(crate) fn birth(stamp: Stamp) -> Stamp {
        if ON.get() { Stamp::default() } else { stamp }
    }

    pub(crate) fn removes_births() -> bool {
        !ON.get()
    }

    pub(crate) fn revive(births: &mut Sorted<Stamp, Node>) {
        if ON.get() {
            births.entry(&Stamp::default());
        }
    }

    pub(crate) fn bury(births: &mut Sorted<Stamp, Node>) {
        if ON.get() {
            births.retain(|_, content| !content.is_empty());
        }
    }
}
