//! Entries of a peer become ordinary local revisions. Predecessor: `link`'s session, through [`crate::Store::absorb`].
//! Successor: [`materialise`], in the same record (rules M1, M8, M9).

use super::materialise::{dependents, materialise};
use super::replicas::Replicas;
use super::row;
use crate::error::RequestError;
use crate::limits::CLOCK_DRIFT_MAX_MS;
use crate::log::Table;
use crate::sequencer::Commit;
use archipel_crdt::entry::{DeletePolicy, Entry, EntryError, KeyOp};
use archipel_crdt::key::ObjectKey;
use thiserror::Error;

/// Why entries of a peer were not applied. What came before them was.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AbsorbError {
    /// The share is not active with that peer here.
    #[error("this share is not active with that peer; both admins must consent: archipel share list")]
    NotShared,
    /// Not an entry, or one of a newer format.
    #[error("an entry does not decode: {0}; the peer may run a newer version")]
    Malformed(String),
    /// Entries are missing before this one: the session must start over from what is held.
    #[error("an entry came out of order: number {got}, expected {expected}")]
    Gap {
        /// Its number.
        got: u64,
        /// The next one of its actor.
        expected: u64,
    },
    /// The entry depends on entries that are not here.
    #[error("an entry depends on others that are not here yet")]
    Dependencies,
    /// Written by somebody else than the peer.
    #[error("the peer sent an entry that it did not write; refused")]
    Forged,
    /// The peer's clock is too far ahead; it is applied when time has caught up.
    #[error("the peer's clock is {ahead_ms} ms ahead; correct it (NTP) at the peer")]
    ClockSkew {
        /// How far.
        ahead_ms: u64,
    },
    /// The store refused.
    #[error(transparent)]
    Store(#[from] RequestError),
}

impl From<EntryError> for AbsorbError {
    fn from(error: EntryError) -> Self {
        AbsorbError::Malformed(error.to_string())
    }
}

impl Replicas {
    /// Applies one encoded entry that `from` sent. False if it was applied before.
    ///
    /// # Errors
    /// See [`AbsorbError`]; nothing of the entry is applied then.
    pub(super) fn absorb(
        &mut self,
        commit: &mut Commit<'_>,
        share: u128,
        from: u128,
        bytes: &[u8],
    ) -> Result<bool, AbsorbError> {
        let now_ms = self.clock.wall_ms();
        let replica = self.shares.get_mut(&share).filter(|replica| replica.is_active());
        let replica = replica.filter(|replica| replica.share.peer.site_id == from).ok_or(AbsorbError::NotShared)?;
        let entry = Entry::decode(bytes)?;
        if replica.share.peer.actor() != Some(entry.dot.actor) {
            return Err(AbsorbError::Forged);
        }
        let expected = replica.have.get(entry.dot.actor) + 1;
        if entry.dot.n < expected {
            return Ok(false);
        }
        if entry.dot.n > expected {
            return Err(AbsorbError::Gap { got: entry.dot.n, expected });
        }
        if !replica.have.covers(&entry.deps) {
            return Err(AbsorbError::Dependencies);
        }
        let ahead_ms = entry.hlc.unix_ms().saturating_sub(now_ms);
        if ahead_ms > CLOCK_DRIFT_MAX_MS {
            return Err(AbsorbError::ClockSkew { ahead_ms });
        }
        let touched = replica.apply(commit, &entry, now_ms);
        replica.peer_applied_ms = entry.hlc.unix_ms();
        replica.absorbed += 1;
        self.hlc = self.hlc.max(entry.hlc);
        let clock = row::encode_clock(self.hlc, &replica.have);
        commit.table_put(Table::Share, row::clock(share), clock);
        for key in touched {
            materialise(commit, self, share, &key, policy_of(&entry, &key));
            let dependents = match (created(&entry, &key), self.shares.get(&share)) {
                (true, Some(replica)) => dependents(replica, &key),
                _ => Vec::new(),
            };
            for dependent in dependents {
                materialise(commit, self, share, &dependent, DeletePolicy::Background);
            }
        }
        Ok(true)
    }
}

fn policy_of(entry: &Entry, key: &ObjectKey) -> DeletePolicy {
    let deletes = entry.ops.iter().filter_map(|op| match op {
        KeyOp::Delete { key: deleted, policy } if deleted == key => Some(*policy),
        _ => None,
    });
    deletes.last().unwrap_or(DeletePolicy::Background)
}

fn created(entry: &Entry, key: &ObjectKey) -> bool {
    entry.ops.iter().any(|op| matches!(op, KeyOp::Create { key: created, .. } if created == key))
}
