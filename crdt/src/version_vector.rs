//! One version vector a share: how much of every actor's history was applied. It is the causal context of every object.

use crate::dot::{ActorId, Dot};
use std::collections::BTreeMap;

/// For every actor, the highest entry number n such that 1..=n were all applied.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VersionVector(BTreeMap<ActorId, u64>);

impl VersionVector {
    /// The vector of a site that has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries applied of `actor`; 0 if none.
    pub fn get(&self, actor: ActorId) -> u64 {
        self.0.get(&actor).copied().unwrap_or(0)
    }

    /// Raises the entry of `actor` to `n` (never lowers it).
    pub fn advance(&mut self, actor: ActorId, n: u64) {
        let at = self.0.entry(actor).or_insert(0);
        *at = (*at).max(n);
    }

    /// True if the write `dot` is part of this history.
    pub fn contains(&self, dot: Dot) -> bool {
        dot.n <= self.get(dot.actor)
    }

    /// True if this history includes all of `other`.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.0.iter().all(|(&actor, &n)| self.get(actor) >= n)
    }

    /// The least upper bound of both.
    pub fn join(&mut self, other: &VersionVector) {
        for (&actor, &n) in &other.0 {
            self.advance(actor, n);
        }
    }

    /// Every actor with its count, in actor order.
    pub fn iter(&self) -> impl Iterator<Item = (ActorId, u64)> + '_ {
        self.0.iter().map(|(&a, &n)| (a, n))
    }
}

impl FromIterator<(ActorId, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (ActorId, u64)>>(pairs: I) -> Self {
        let mut out = Self::new();
        for (actor, n) in pairs {
            out.advance(actor, n);
        }
        out
    }
}
