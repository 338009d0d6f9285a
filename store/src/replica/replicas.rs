//! Every share of this site in memory, as the tables hold it. Changed only under the sequencer's lock.

use super::operation::Intent;
use super::row;
use super::site::SiteIdentity;
use crate::clock::Clock;
use crate::keyspace::Keyspace;
use crate::log::Table;
use crate::sequencer::Commit;
use archipel_crdt::clock::Hlc;
use archipel_crdt::conflict::Conflict;
use archipel_crdt::dot::{Dot, Stamp};
use archipel_crdt::entry::Entry;
use archipel_crdt::key::ObjectKey;
use archipel_crdt::object::Object;
use archipel_crdt::share::{Announcement, Share, Stage};
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All shares, behind the lock that comes after the sequencer's.
#[derive(Clone, Debug)]
pub(crate) struct SharedReplicas(Arc<Mutex<Replicas>>);

impl SharedReplicas {
    pub(crate) fn new(replicas: Replicas) -> SharedReplicas {
        SharedReplicas(Arc::new(Mutex::new(replicas)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Replicas> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All shares of this site.
#[derive(Debug)]
pub(crate) struct Replicas {
    pub(super) site: SiteIdentity,
    pub(super) keyspace: Keyspace,
    pub(super) clock: Arc<dyn Clock>,
    /// The greatest reading issued or seen.
    pub(super) hlc: Hlc,
    pub(super) shares: BTreeMap<u128, Replica>,
    /// Namespace → share.
    pub(super) namespaces: HashMap<String, u128>,
    /// Announcements of shares that this site has left, until a session takes them; the peer also learns of it when it
    /// greets us. At most one a share.
    pub(super) farewells: BTreeMap<(u128, u128), Announcement>,
    /// A record was refused after it had been applied here: the tables hold what is true.
    pub(super) is_stale: bool,
}

/// One share with its content.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(super) share: Share,
    /// Everything applied here, own entries included. The causal context of every object.
    pub(super) have: VersionVector,
    pub(super) objects: BTreeMap<ObjectKey, Object>,
    /// Times in Unix ms of own entries that are still in the log, by number. The entries themselves are rows: a link
    /// reads them from the published state, so that none leaves before it is durable.
    pub(super) entries: BTreeMap<u64, u64>,
    /// What the peer said it holds, in this process's life.
    pub(super) peer_have: VersionVector,
    pub(super) conflicts: BTreeMap<u64, (u64, Conflict)>,
    /// Objects that are in the CRDT and not in the store, with the reason (rule L4).
    pub(super) held: BTreeMap<ObjectKey, String>,
    /// The last reading of the peer's clock that was applied, in Unix milliseconds.
    pub(super) peer_applied_ms: u64,
    /// Entries of the peer applied in this process's life.
    pub(super) absorbed: u64,
}

impl Replicas {
    /// Reads all shares from the tables.
    ///
    /// # Errors
    /// A row does not decode: which one. The store must not start then, for a dot could be used twice.
    pub(crate) fn load(
        commit: &Commit<'_>,
        site: SiteIdentity,
        keyspace: Keyspace,
        clock: Arc<dyn Clock>,
    ) -> Result<Replicas, String> {
        let (shares, namespaces, farewells, is_stale) = Default::default();
        let mut all = Replicas { site, keyspace, clock, hlc: Hlc(0), shares, namespaces, farewells, is_stale };
        all.read_tables(commit)?;
        Ok(all)
    }

    /// Reads the tables again if a record was refused after it had been applied in memory.
    pub(super) fn refresh(&mut self, commit: &Commit<'_>) {
        if std::mem::take(&mut self.is_stale) {
            self.read_tables(commit).expect("invariant: the tables hold what this process wrote");
        }
    }

    fn read_tables(&mut self, commit: &Commit<'_>) -> Result<(), String> {
        self.shares.clear();
        self.namespaces.clear();
        for (key, value) in commit.table_scan(Table::Share, b"") {
            match row::split(&key) {
                Some((_, rest)) if row::is_share(rest) => {
                    let share = Share::from_bytes(&value).map_err(|e| format!("a share's description: {e}"))?;
                    let replica = Replica::load(commit, share, &mut self.hlc)?;
                    self.insert(replica);
                }
                _ => {}
            }
        }
        Ok(())
    }

    pub(crate) fn site(&self) -> &SiteIdentity {
        &self.site
    }

    pub(super) fn insert(&mut self, replica: Replica) {
        self.namespaces.insert(replica.share.namespace.clone(), replica.share.id);
        self.shares.insert(replica.share.id, replica);
    }

    /// The share that a namespace is in.
    pub(super) fn of_namespace(&self, namespace: &str) -> Option<&Replica> {
        self.shares.get(self.namespaces.get(namespace)?)
    }

    /// Makes local intents the next entry of a share: applies them and writes every row that they change. Nothing
    /// happens if they change nothing replicated.
    pub(super) fn append_own(&mut self, commit: &mut Commit<'_>, share: u128, intents: &[(ObjectKey, Intent)]) {
        let hlc = Hlc::tick(self.hlc, self.clock.wall_ms());
        let actor = self.site.actor;
        let Some(replica) = self.shares.get_mut(&share) else { return };
        let dot = Dot { actor, n: replica.have.get(actor) + 1 };
        let stamp = Stamp { hlc, dot };
        let mut ops = Vec::with_capacity(intents.len());
        for (key, intent) in intents {
            let object = replica.objects.entry(key.clone()).or_default();
            ops.extend(intent.apply(object, key, stamp, &replica.have));
            replica.store_object(commit, key);
        }
        if ops.is_empty() {
            return;
        }
        let entry = Entry { dot, hlc, deps: replica.have.clone(), epoch: replica.share.epoch, ops };
        let bytes = Bytes::from(entry.encode());
        commit.table_put(Table::Entry, row::numbered(share, dot.n), bytes);
        replica.entries.insert(dot.n, hlc.unix_ms());
        replica.have.advance(actor, dot.n);
        commit.table_put(Table::Share, row::clock(share), row::encode_clock(hlc, &replica.have));
        self.hlc = hlc;
    }
}

impl Replica {
    pub(super) fn new(share: Share) -> Replica {
        Replica {
            share,
            have: VersionVector::new(),
            objects: BTreeMap::new(),
            entries: BTreeMap::new(),
            peer_have: VersionVector::new(),
            conflicts: BTreeMap::new(),
            held: BTreeMap::new(),
            peer_applied_ms: 0,
            absorbed: 0,
        }
    }

    fn load(commit: &Commit<'_>, share: Share, hlc: &mut Hlc) -> Result<Replica, String> {
        let id = share.id;
        let damaged = |what: &str| format!("{what} of the share of namespace {}", share.namespace);
        let mut replica = Replica::new(share.clone());
        if let Some(value) = commit.table_get(Table::Share, &row::clock(id)) {
            let (seen, have) = row::decode_clock(&value).ok_or_else(|| damaged("the clock"))?;
            *hlc = seen.max(*hlc);
            replica.have = have;
        }
        for (key, value) in commit.table_scan(Table::Object, &row::prefix(id)) {
            let name = row::split(&key).and_then(|(_, rest)| row::parse_object(rest));
            let name = name.ok_or_else(|| damaged("an object's key"))?;
            let object = Object::decode(&value).map_err(|e| damaged(&format!("object {name} ({e})")))?;
            replica.objects.insert(name, object);
        }
        for (key, bytes) in commit.table_scan(Table::Entry, &row::prefix(id)) {
            let n = row::split(&key).and_then(|(_, rest)| row::parse_numbered(rest));
            let n = n.ok_or_else(|| damaged("an entry's key"))?;
            let entry = Entry::decode(&bytes).map_err(|e| damaged(&format!("entry {n} ({e})")))?;
            replica.entries.insert(n, entry.hlc.unix_ms());
        }
        for (key, value) in commit.table_scan(Table::Conflict, &row::prefix(id)) {
            let n = row::split(&key).and_then(|(_, rest)| row::parse_numbered(rest));
            let (time, bytes) = value.split_first_chunk::<8>().ok_or_else(|| damaged("a conflict"))?;
            let conflict = Conflict::decode(bytes).map_err(|e| damaged(&format!("a conflict ({e})")))?;
            replica.conflicts.insert(n.unwrap_or(0), (u64::from_be_bytes(*time), conflict));
        }
        Ok(replica)
    }

    /// True if local writes are emitted and remote ones applied.
    pub(super) fn is_active(&self) -> bool {
        self.share.stage == Stage::Active
    }

    /// Applies an entry of the peer and writes the rows of the objects and conflicts that it changed. The caller checked
    /// that it is the next of its actor and that its dependencies are met, and writes the clock row. Returns the objects
    /// that it touched, in entry order.
    pub(super) fn apply(&mut self, commit: &mut Commit<'_>, entry: &Entry, now_ms: u64) -> Vec<ObjectKey> {
        let mut touched = Vec::new();
        for op in &entry.ops {
            let Some(key) = op.key() else { continue };
            let object = self.objects.entry(key.clone()).or_default();
            let outcome = object.apply(op, entry.stamp(), &entry.deps);
            self.store_object(commit, key);
            for conflict in outcome.conflicts {
                self.record_conflict(commit, conflict, now_ms);
            }
            if !touched.contains(key) {
                touched.push(key.clone());
            }
        }
        self.have.advance(entry.dot.actor, entry.dot.n);
        touched
    }

    /// Writes the row of an object's state; an empty one is dropped.
    fn store_object(&mut self, commit: &mut Commit<'_>, key: &ObjectKey) {
        let row = row::object(self.share.id, key);
        match self.objects.get(key) {
            Some(object) if !object.is_empty() => commit.table_put(Table::Object, row, Bytes::from(object.encode())),
            _ => {
                self.objects.remove(key);
                commit.table_delete(Table::Object, &row);
            }
        }
    }

    fn record_conflict(&mut self, commit: &mut Commit<'_>, conflict: Conflict, now_ms: u64) {
        let n = self.conflicts.last_key_value().map_or(1, |(n, _)| n + 1);
        let value = [&now_ms.to_be_bytes(), conflict.encode().as_slice()].concat();
        commit.table_put(Table::Conflict, row::numbered(self.share.id, n), value.into());
        self.conflicts.insert(n, (now_ms, conflict));
        while self.conflicts.len() > crate::limits::CONFLICTS_MAX {
            if let Some((oldest, _)) = self.conflicts.pop_first() {
                commit.table_delete(Table::Conflict, &row::numbered(self.share.id, oldest));
            }
        }
    }

    /// Writes the share's description.
    pub(super) fn store_share(&self, commit: &mut Commit<'_>) {
        commit.table_put(Table::Share, row::share(self.share.id), self.share.to_bytes().into());
    }

    /// Deletes every row of the share: what is left are ordinary local objects.
    pub(super) fn delete_rows(&self, commit: &mut Commit<'_>) {
        for table in [Table::Share, Table::Object, Table::Entry, Table::Conflict] {
            for (key, _) in commit.table_scan(table, &row::prefix(self.share.id)) {
                commit.table_delete(table, &key);
            }
        }
    }
}
