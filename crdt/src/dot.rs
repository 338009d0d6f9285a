//! Who wrote what: actors, dots and stamps.

use crate::clock::Hlc;
use std::fmt;

/// One incarnation of one site's store: 128 random bits. A restored or cloned store takes a new one before it writes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ActorId(pub u128);

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 96)
    }
}

/// The n-th entry of one actor on one share; n counts 1, 2, 3 … without gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Dot {
    /// The writer.
    pub actor: ActorId,
    /// Its counter on the share, from 1.
    pub n: u64,
}

/// A dot with its time: the total order by which concurrent writes of one register are ranked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Stamp {
    /// When, as the writer's hybrid clock said. Compared first.
    pub hlc: Hlc,
    /// Who. Breaks ties.
    pub dot: Dot,
}
