//! One version vector a share: how much of every actor's history was applied. It is the causal context of every object.

use crate::codec::{DecodeError, Reader, Writer};
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
        // No zeros are kept, so that equal histories are equal vectors.
        if n == 0 {
            return;
        }
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

impl VersionVector {
    /// The form for wire and disk. Equal vectors have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        let seen: Vec<_> = self.iter().filter(|&(_, n)| n > 0).collect();
        w.count(seen.len());
        for (actor, n) in seen {
            w.actor(actor);
            w.varint(n);
        }
        w.into_bytes()
    }

    /// Reads the form for wire and disk.
    ///
    /// # Errors
    /// If the bytes were not made by [`VersionVector::encode`].
    pub fn decode(bytes: &[u8]) -> Result<VersionVector, DecodeError> {
        let mut r = Reader::new(bytes);
        let mut out = VersionVector::new();
        for _ in 0..r.count()? {
            let (actor, n) = (r.actor()?, r.varint()?);
            if n == 0 || out.0.last_key_value().is_some_and(|(last, _)| *last >= actor) {
                return Err(DecodeError::Malformed("version vector"));
            }
            out.advance(actor, n);
        }
        r.finish()?;
        Ok(out)
    }
}
