//! Who made a record, as far as its content and the ones before it show.

use crate::log::{Record, Table};
use crate::replica::{decode_clock, is_clock, split};
use archipel_crdt::dot::ActorId;
use archipel_crdt::entry::Entry;
use archipel_crdt::version_vector::VersionVector;
use std::collections::BTreeMap;

/// Who made a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// A client of this site, or the store itself. `entries`: what of it travels to other sites.
    Site {
        /// Entries of shares that the record makes; empty = nothing of it is shared.
        entries: Vec<EntryRange>,
    },
    /// A peer: its entries became revisions of this site, or changed what a share holds.
    Peer {
        /// The entries; empty = the log does not tell any more.
        entries: Vec<EntryRange>,
    },
    /// A share: consent, acknowledgements, conflicts.
    Share,
    /// Cleaning, which copied what is kept of an old segment.
    Cleaning,
}

/// Entries of one actor on one share, by their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntryRange {
    /// The share's id.
    pub share: u128,
    /// Who wrote them: an incarnation of a site.
    pub actor: u128,
    /// The first.
    pub n_first: u64,
    /// The last.
    pub n_last: u64,
}

/// Tells origins, record by record in the log's order. Holds one version vector a share.
#[derive(Debug, Default)]
pub(super) struct Origins {
    clocks: BTreeMap<u128, VersionVector>,
    /// The log was seen from its first record on: a share without a clock so far held nothing.
    is_whole: bool,
}

impl Origins {
    pub(super) fn new(is_whole: bool) -> Origins {
        Origins { clocks: BTreeMap::new(), is_whole }
    }

    /// The next record's origin.
    pub(super) fn of(&mut self, record: &Record) -> Origin {
        let own: Vec<EntryRange> = record
            .tables
            .iter()
            .filter_map(|write| {
                let value = write.value.as_ref().filter(|_| write.table == Table::Entry)?;
                let (share, dot) = (split(&write.key)?.0, Entry::decode(value).ok()?.dot);
                Some(EntryRange { share, actor: dot.actor.0, n_first: dot.n, n_last: dot.n })
            })
            .collect();
        let mut absorbed = Vec::new();
        let mut has_clock = false;
        for write in record.tables.iter().filter(|write| write.table == Table::Share) {
            let Some((share, rest)) = split(&write.key) else { continue };
            let Some((_, have)) = write.value.as_ref().filter(|_| is_clock(rest)).and_then(|value| decode_clock(value))
            else {
                continue;
            };
            has_clock = true;
            let before = self.clocks.insert(share, have.clone()).or_else(|| self.is_whole.then(VersionVector::default));
            let Some(before) = before else { continue };
            let is_own = |actor: ActorId| own.iter().any(|entry| entry.share == share && entry.actor == actor.0);
            absorbed.extend(
                have.iter()
                    .filter(|(actor, n)| *n > before.get(*actor) && !is_own(*actor))
                    .map(|(actor, n)| EntryRange { share, actor: actor.0, n_first: before.get(actor) + 1, n_last: n }),
            );
        }
        let of_shares = [Table::Share, Table::Object, Table::Entry, Table::Conflict];
        let touches_shares = record.tables.iter().any(|write| of_shares.contains(&write.table));
        if !record.moved.is_empty() {
            Origin::Cleaning
        } else if !own.is_empty() {
            Origin::Site { entries: own }
        } else if !absorbed.is_empty() || has_clock && !record.events.is_empty() {
            Origin::Peer { entries: absorbed }
        } else if touches_shares && record.events.is_empty() {
            Origin::Share
        } else {
            Origin::Site { entries: own }
        }
    }
}
