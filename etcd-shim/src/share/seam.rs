//! What the admin API needs from the store's shares: the counterpart of `link::replica`.

use crate::link::replica::Later;
use archipel_crdt::version_vector::VersionVector;
use std::fmt::Debug;
use uuid::Uuid;

/// One share, as an operator sees it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ShareView {
    /// Its id.
    pub id: Uuid,
    /// Its namespace.
    pub namespace: String,
    /// `proposed`, `invited` or `active`.
    pub state: &'static str,
    /// The other member.
    pub peer: Uuid,
    /// Its name.
    pub peer_name: String,
    /// Who may write: `all`, or `home:` and a site.
    pub authority: String,
    /// Grows with every change of authority.
    pub epoch: u64,
    /// What is applied here.
    pub have: VersionVector,
    /// Objects that the share shows here.
    pub objects: u64,
    /// Objects that are in the share and not shown here, each with the reason.
    pub held: Vec<(String, String)>,
    /// Conflicts on record.
    pub conflicts: u64,
    /// Entries that this site made.
    pub own_entries: u64,
    /// How many of them the peer acknowledged.
    pub peer_has: u64,
    /// Entries of the peer that are applied here.
    pub peer_entries: u64,
    /// When the oldest entry that the peer did not acknowledge was made, Unix time in milliseconds.
    pub oldest_unacknowledged_unix_ms: Option<u64>,
}

/// One conflict on record.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ConflictView {
    /// When this site merged, Unix time in milliseconds.
    pub unix_ms: u64,
    /// The namespace.
    pub namespace: String,
    /// The object: resource and name.
    pub object: String,
    /// The field; empty for the object as a whole.
    pub path: String,
    /// What was concurrent.
    pub rule: String,
    /// What is shown; None if it is a deletion.
    pub winner: Option<Candidate>,
    /// What is not.
    pub loser: Candidate,
}

/// One of two concurrent writes.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Candidate {
    /// The site that wrote it.
    pub site: String,
    /// When, by its clock, Unix time in milliseconds.
    pub unix_ms: u64,
    /// What, as JSON.
    pub value: String,
}

/// Numbers of the store as a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// The durable revision.
    pub revision: i64,
    /// The compact revision; -1 if nothing was compacted.
    pub compact_revision: i64,
    /// Bytes on disk.
    pub size_bytes: u64,
    /// Bytes of them in use.
    pub size_in_use_bytes: u64,
    /// Live keys.
    pub keys: u64,
}

/// Why the store did not do it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The peer's offer is not here (yet).
    NotInvited(String),
    /// Anything else, in the store's words.
    Other(String),
}

/// The shares of a store.
pub trait Shares: Send + Sync + Debug + 'static {
    /// Numbers of the store.
    fn facts(&self) -> Facts;

    /// All shares, by namespace.
    fn shares(&self) -> Vec<ShareView>;

    /// Conflicts on record, oldest first, of one namespace or of all.
    fn conflicts(&self, namespace: Option<&str>) -> Vec<ConflictView>;

    /// This side's consent to share `namespace` with a peer. Durable when it resolves.
    ///
    /// # Errors
    /// Nothing changed.
    fn attach<'a>(&'a self, namespace: &'a str, peer: Uuid, peer_name: &'a str) -> Later<'a, Result<(), Refused>>;

    /// This side's consent to what `from` offered; with `earliest`, objects that exist here are merged by their birth.
    ///
    /// # Errors
    /// Nothing changed.
    fn accept<'a>(&'a self, namespace: &'a str, from: &'a str, earliest: bool) -> Later<'a, Result<(), Refused>>;

    /// Takes this site out of the share; its objects stay.
    ///
    /// # Errors
    /// Nothing changed.
    fn detach<'a>(&'a self, namespace: &'a str) -> Later<'a, Result<(), Refused>>;
}
