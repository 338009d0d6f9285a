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
        let known = |entry: &EntryRange| {
            let clock = self.clocks.get(&entry.share);
            clock.is_some_and(|clock| clock.get(ActorId(entry.actor)) >= entry.n_last)
        };
        let are_copies = !own.is_empty() && own.iter().all(known);
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
        if !record.moved.is_empty() || are_copies {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Event, EventKind, TableWrite};
    use crate::revision::Revision;
    use archipel_crdt::clock::Hlc;
    use archipel_crdt::dot::Dot;
    use bytes::Bytes;

    const SHARE: u128 = 5;
    const NANTES: u128 = 1;
    const RENNES: u128 = 2;

    fn row(table: Table, rest: &[u8], value: Vec<u8>) -> TableWrite {
        TableWrite { table, key: [&SHARE.to_be_bytes(), rest].concat().into(), value: Some(value.into()) }
    }

    fn clock(nantes: u64, rennes: u64) -> TableWrite {
        let mut value = vec![0; 8];
        for (actor, n) in [(NANTES, nantes), (RENNES, rennes)] {
            value.extend_from_slice(&actor.to_be_bytes());
            value.extend_from_slice(&n.to_be_bytes());
        }
        row(Table::Share, b"c", value)
    }

    fn entry(n: u64) -> TableWrite {
        let dot = Dot { actor: ActorId(NANTES), n };
        let entry = Entry { dot, hlc: Hlc(0), deps: VersionVector::default(), epoch: 1, ops: Vec::new() };
        row(Table::Entry, &n.to_be_bytes(), entry.encode())
    }

    fn record(tables: Vec<TableWrite>, writes: bool) -> Record {
        let kind = EventKind::Put(Bytes::from_static(b"kv"));
        let event = Event { key: Bytes::from_static(b"k"), revision: Revision { main: 2, sub: 0 }, kind };
        Record { events: if writes { vec![event] } else { Vec::new() }, tables, ..Record::default() }
    }

    #[test]
    fn a_record_is_from_a_client_a_peer_or_the_site_itself() {
        let mut origins = Origins::new(true);
        let range = |actor, n_first, n_last| EntryRange { share: SHARE, actor, n_first, n_last };
        let site = |entries| Origin::Site { entries };
        assert_eq!(origins.of(&record(Vec::new(), true)), site(Vec::new()));
        assert_eq!(origins.of(&record(vec![row(Table::Share, b"s", Vec::new())], false)), Origin::Share);
        assert_eq!(origins.of(&record(vec![entry(1), clock(1, 0)], true)), site(vec![range(NANTES, 1, 1)]));
        let peer = Origin::Peer { entries: vec![range(RENNES, 1, 3)] };
        assert_eq!(origins.of(&record(vec![clock(1, 3)], true)), peer);
        assert_eq!(origins.of(&record(vec![entry(1)], false)), Origin::Cleaning, "a copy of the row");
        let mut behind = Origins::new(false);
        assert_eq!(behind.of(&record(vec![clock(1, 3)], true)), Origin::Peer { entries: Vec::new() });
    }
}
