//! What a link needs of the shares: which there are, what the peer lacks, what it sent, what it holds.

use super::absorb::AbsorbError;
use super::replicas::Replica;
use super::row;
use crate::error::RequestError;
use crate::limits::{ABSORB_ENTRIES_MAX, TRIM_ENTRIES_MIN};
use crate::log::Table;
use crate::store::Store;
use archipel_crdt::share::{self, Announcement, Member};
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use uuid::Uuid;

use super::verbs::ShareError;

impl Store {
    /// Changes when durable rows of shares did: entries to send, stages, conflicts.
    pub fn share_changes(&self) -> tokio::sync::watch::Receiver<i64> {
        self.sequencer().subscribe_shares()
    }

    /// Control messages for a peer: where this site stands with every share of the two. Idempotent; to be sent when a
    /// session opens and whenever [`Store::share_changes`] fires.
    pub fn share_greetings(&self, peer: Uuid) -> Vec<Vec<u8>> {
        let mut replicas = self.replicas().lock();
        let site_id = peer.as_u128();
        let mut greetings: Vec<Vec<u8>> = replicas
            .shares
            .values()
            .filter(|replica| replica.share.peer.site_id == site_id)
            .filter_map(|replica| replica.share.announcement())
            .map(|message| message.to_bytes())
            .collect();
        replicas.farewells.retain(|(to, _), message| {
            if *to == site_id {
                greetings.push(message.to_bytes());
            }
            *to != site_id
        });
        greetings
    }

    /// Takes a control message of a peer whose session is authenticated as `peer`; returns the answers for it, once what
    /// they say is durable.
    ///
    /// # Errors
    /// The message does not decode, or the store stopped.
    pub async fn share_message(&self, peer: Uuid, name: &str, message: &[u8]) -> Result<Vec<Vec<u8>>, ShareError> {
        let message = Announcement::from_bytes(message).map_err(|e| ShareError::Malformed(e.to_string()))?;
        let (answer, ticket) = self.commit_shares(|commit, replicas| {
            let own = replicas.site.member();
            let sender = Member { site_id: peer.as_u128(), name: name.to_owned(), actor: message.sender.actor };
            let current = replicas.of_namespace(&message.namespace).map(|replica| replica.share.clone());
            let step = share::on_announcement(current.as_ref(), &message, &own, &sender);
            let activated = step.activated;
            let answer = replicas.take(commit, &message.namespace, step);
            Ok::<_, ShareError>((answer, activated))
        })?;
        ticket.await?;
        let (announcement, activated) = answer;
        if activated {
            self.import(message.id).await?;
        }
        Ok(announcement.iter().map(Announcement::to_bytes).collect())
    }

    /// The active shares with a peer, each with what is applied here durably: what a session announces, and what it
    /// acknowledges.
    pub fn active_shares(&self, peer: Uuid) -> Vec<(Uuid, VersionVector)> {
        let replicas = self.replicas().lock();
        let shares = replicas.shares.values().filter(|replica| is_active_with(replica, peer));
        let ids: Vec<u128> = shares.map(|replica| replica.share.id).collect();
        drop(replicas);
        ids.into_iter().map(|id| (Uuid::from_u128(id), self.durable_have(id))).collect()
    }

    /// What is applied of a share, as far as it is durable: only that may be acknowledged.
    fn durable_have(&self, share: u128) -> VersionVector {
        let state = self.sequencer().publication().load();
        let clock = state.row(Table::Share, &row::clock(share));
        clock.and_then(|row| row::decode_clock(row.value())).map(|(_, have)| have).unwrap_or_default()
    }

    /// Own entries of a share that `have` lacks, oldest first, up to about `max_bytes` (at least one). They are read from
    /// the published state: only durable ones leave the site.
    pub fn entries_after(&self, share: Uuid, have: &VersionVector, max_bytes: usize) -> Vec<Bytes> {
        let share = share.as_u128();
        let replicas = self.replicas().lock();
        if !replicas.shares.get(&share).is_some_and(Replica::is_active) {
            return Vec::new();
        }
        let first = row::numbered(share, have.get(replicas.site.actor) + 1);
        drop(replicas);
        let mut entries: Vec<Bytes> = Vec::new();
        let mut bytes = 0;
        self.sequencer().publication().load().visit_rows(Table::Entry, &first, |key, value| {
            bytes += value.len();
            let fits = key.starts_with(&row::prefix(share)) && (entries.is_empty() || bytes <= max_bytes);
            if fits {
                entries.push(value.clone());
            }
            fits
        });
        entries
    }

    /// Applies entries that `from` sent, in order; returns what is held, all of it durable. Entries applied before are
    /// skipped. On an error, what came before the bad entry is applied.
    ///
    /// # Errors
    /// See [`AbsorbError`].
    pub async fn absorb(&self, share: Uuid, from: Uuid, entries: Vec<Bytes>) -> Result<VersionVector, AbsorbError> {
        self.admit_growth()?;
        let mut last = None;
        for entry in entries.iter().take(ABSORB_ENTRIES_MAX) {
            let (_, ticket) =
                self.commit_shares(|commit, replicas| replicas.absorb(commit, share.as_u128(), from.as_u128(), entry))?;
            last = Some(ticket);
        }
        // Tickets resolve in order: the last one stands for all.
        if let Some(ticket) = last {
            ticket.await?;
        }
        Ok(self.durable_have(share.as_u128()))
    }

    /// The peer holds these entries durably: they may leave this site's log.
    ///
    /// # Errors
    /// The store stopped.
    pub async fn acknowledged(&self, share: Uuid, peer: Uuid, have: VersionVector) -> Result<(), RequestError> {
        let (_, ticket) = self.commit_shares(|commit, replicas| {
            let actor = replicas.site.actor;
            let id = share.as_u128();
            let Some(replica) = replicas.shares.get_mut(&id).filter(|replica| is_active_with(replica, peer)) else {
                return Ok::<_, RequestError>(());
            };
            if have.get(actor) > replica.have.get(actor) {
                return Err(RequestError::ShareForbids(format!(
                    "the peer holds more of this site's entries for namespace {} than this site made: the store was set \
                     back to an earlier state; detach the share here and attach it again",
                    replica.share.namespace
                )));
            }
            replica.peer_have.join(&have);
            let held = replica.peer_have.get(actor);
            let acknowledged = replica.entries.range(..=held).count();
            if acknowledged >= TRIM_ENTRIES_MIN || acknowledged == replica.entries.len() {
                for n in replica.entries.range(..=held).map(|(n, _)| *n) {
                    commit.table_delete(Table::Entry, &row::numbered(id, n));
                }
                replica.entries = replica.entries.split_off(&(held + 1));
            }
            Ok(())
        })?;
        ticket.await
    }
}

fn is_active_with(replica: &Replica, peer: Uuid) -> bool {
    replica.is_active() && replica.share.peer.site_id == peer.as_u128()
}
