//! What an operator sees of the shares.

use super::replicas::Replica;
use crate::store::Store;
use archipel_crdt::conflict::{Conflict, Version};
use archipel_crdt::dot::ActorId;
use archipel_crdt::share::{Authority, Member, Stage};
use archipel_crdt::version_vector::VersionVector;
use uuid::Uuid;

/// One share, as of now.
#[derive(Clone, PartialEq, Debug)]
pub struct ShareStatus {
    /// The share.
    pub id: Uuid,
    /// Its namespace.
    pub namespace: String,
    /// Where this site stands.
    pub stage: Stage,
    /// The other site.
    pub peer: Member,
    /// Who may write.
    pub authority: Authority,
    /// Grows with every change of authority.
    pub epoch: u32,
    /// What is applied here.
    pub have: VersionVector,
    /// Objects that the share shows.
    pub objects: usize,
    /// Objects that are in the share and not shown here, with the reason.
    pub held: Vec<(String, String)>,
    /// Conflicts on record.
    pub conflicts: usize,
    /// How far the two sites are.
    pub progress: PeerProgress,
}

/// How far two sites are with a share, counted in entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PeerProgress {
    /// Entries that this site made.
    pub own_entries: u64,
    /// How many of them the peer holds, as far as it told this process.
    pub peer_has: u64,
    /// Entries of the peer that are applied here.
    pub peer_entries: u64,
    /// Unix time in ms of the oldest own entry that the peer has not acknowledged.
    pub oldest_unacknowledged_ms: Option<u64>,
    /// Unix time in ms, by the peer's clock, of the newest entry applied from it in this process's life; 0 = none.
    pub newest_applied_ms: u64,
}

/// A merge that had to drop or combine a concurrent write.
#[derive(Clone, PartialEq, Debug)]
pub struct ConflictRecord {
    /// The namespace.
    pub namespace: String,
    /// When this site merged, in Unix ms.
    pub unix_ms: u64,
    /// `resource/name`.
    pub object: String,
    /// Path of the field; empty for a whole object.
    pub path: String,
    /// What was concurrent, in words.
    pub rule: String,
    /// The write that is shown; None if it was a deletion.
    pub winner: Option<ConflictSide>,
    /// The write that is not.
    pub loser: ConflictSide,
}

/// One of two concurrent writes.
#[derive(Clone, PartialEq, Debug)]
pub struct ConflictSide {
    /// Name of the site that wrote it.
    pub site: String,
    /// When, in Unix ms by its clock.
    pub unix_ms: u64,
    /// What it wrote, as JSON.
    pub value: String,
}

impl Store {
    /// Every share, by namespace.
    pub fn shares(&self) -> Vec<ShareStatus> {
        let replicas = self.replicas().lock();
        let mut all: Vec<ShareStatus> =
            replicas.shares.values().map(|replica| replica.status(replicas.site.actor)).collect();
        all.sort_by(|a, b| a.namespace.cmp(&b.namespace));
        all
    }

    /// Conflicts on record, oldest first, of one namespace or of all.
    pub fn conflicts(&self, namespace: Option<&str>) -> Vec<ConflictRecord> {
        let replicas = self.replicas().lock();
        let shares = replicas.shares.values();
        let wanted = shares.filter(|replica| namespace.is_none_or(|name| replica.share.namespace == name));
        wanted.flat_map(Replica::conflict_records).collect()
    }
}

impl Replica {
    fn status(&self, own: ActorId) -> ShareStatus {
        let peer = self.share.peer.actor().unwrap_or_default();
        let progress = PeerProgress {
            own_entries: self.have.get(own),
            peer_has: self.peer_have.get(own),
            peer_entries: self.have.get(peer),
            oldest_unacknowledged_ms: self
                .entries
                .range(self.peer_have.get(own) + 1..)
                .next()
                .map(|(_, unix_ms)| *unix_ms),
            newest_applied_ms: self.peer_applied_ms,
        };
        ShareStatus {
            id: Uuid::from_u128(self.share.id),
            namespace: self.share.namespace.clone(),
            stage: self.share.stage,
            peer: self.share.peer.clone(),
            authority: self.share.authority.clone(),
            epoch: self.share.epoch,
            have: self.have.clone(),
            objects: self.visible_count(),
            held: self.held.iter().map(|(key, why)| (key.to_string(), why.clone())).collect(),
            conflicts: self.conflicts.len(),
            progress,
        }
    }

    fn conflict_records(&self) -> Vec<ConflictRecord> {
        self.conflicts.values().map(|(unix_ms, conflict)| self.conflict_record(*unix_ms, conflict)).collect()
    }

    fn conflict_record(&self, unix_ms: u64, conflict: &Conflict) -> ConflictRecord {
        let side = |version: &Version| ConflictSide {
            site: self.name_of(version.stamp.dot.actor),
            unix_ms: version.stamp.hlc.unix_ms(),
            value: version.tree.to_json(),
        };
        ConflictRecord {
            namespace: self.share.namespace.clone(),
            unix_ms,
            object: conflict.key.to_string(),
            path: conflict.path.clone(),
            rule: conflict.rule.to_string(),
            winner: conflict.winner.as_ref().map(side),
            loser: side(&conflict.loser),
        }
    }

    fn name_of(&self, actor: ActorId) -> String {
        let members = [&self.share.own, &self.share.peer];
        let member = members.into_iter().find(|member| member.actor() == Some(actor));
        member.map_or_else(|| actor.to_string(), |member| member.name.clone())
    }
}
