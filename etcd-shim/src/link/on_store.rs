//! The store behind links, peers and shares: the one place where their seams meet [`Store`].

use super::engine::{Fault, Outgoing};
use super::replica::{Later, Replica, Site};
use crate::peer::Rows;
use crate::share::{Candidate, ConflictView, Facts, Refused, ShareView, Shares};
use archipel_crdt::dot::Dot;
use archipel_crdt::entry::Entry;
use archipel_crdt::share::{Authority, Refusal, Stage};
use archipel_crdt::version_vector::VersionVector;
use archipel_store::Store;
use archipel_store::error::RequestError;
use archipel_store::limits::ABSORB_ENTRIES_MAX;
use archipel_store::log::Table;
use archipel_store::replica::{AbsorbError, Collision, ConflictRecord, ConflictSide, PeerRef, ShareError, ShareStatus};
use bytes::Bytes;
use tokio::sync::watch;
use uuid::Uuid;

/// After a gap the stream starts over at once.
const GAP_RETRY_MS: u64 = 1;
/// A peer's clock is looked at again this much later.
const CLOCK_RETRY_MS: u64 = 2_000;

/// A store, as links, peers and shares see it.
#[derive(Clone, Debug)]
pub struct OnStore(pub Store);

impl Replica for OnStore {
    fn site(&self) -> Site {
        let site = self.0.site();
        Site { name: site.name, site_id: site.site_id, actor: site.actor }
    }

    fn changes(&self) -> watch::Receiver<i64> {
        self.0.share_changes()
    }

    /// What `share_changes` tells of is durable already, and writes outside of shares must not wake a link.
    fn durable(&self) -> watch::Receiver<i64> {
        self.0.share_changes()
    }

    fn greetings(&self, peer: Uuid) -> Vec<Bytes> {
        self.0.share_greetings(peer).into_iter().map(Bytes::from).collect()
    }

    fn control<'a>(&'a self, peer: Uuid, name: &'a str, message: &'a [u8]) -> Later<'a, Result<Vec<Bytes>, String>> {
        Box::pin(async move {
            let answers = self.0.share_message(peer, name, message).await.map_err(|e| e.to_string())?;
            Ok(answers.into_iter().map(Bytes::from).collect())
        })
    }

    fn active_shares(&self, peer: Uuid) -> Vec<(Uuid, VersionVector)> {
        self.0.active_shares(peer)
    }

    fn entries_after(&self, share: Uuid, have: &VersionVector, bytes_max: usize) -> Vec<Outgoing> {
        let entries = self.0.entries_after(share, have, bytes_max);
        // They are one actor's and without gaps: the first dot gives the others.
        let Some(Ok(first)) = entries.first().map(|bytes| Entry::decode(bytes)) else { return Vec::new() };
        let dots = (first.dot.n..).map(|n| Dot { actor: first.dot.actor, n });
        dots.zip(entries).map(|(dot, bytes)| Outgoing { dot, bytes }).collect()
    }

    fn absorb(&self, share: Uuid, peer: Uuid, entries: Vec<Bytes>) -> Later<'_, Result<VersionVector, Fault>> {
        Box::pin(async move {
            let mut have = VersionVector::new();
            for part in entries.chunks(ABSORB_ENTRIES_MAX) {
                have = self.0.absorb(share, peer, part.to_vec()).await.map_err(fault)?;
            }
            Ok(have)
        })
    }

    fn acknowledged(&self, share: Uuid, peer: Uuid, have: VersionVector) -> Later<'_, Result<(), String>> {
        Box::pin(async move { self.0.acknowledged(share, peer, have).await.map_err(|e| e.to_string()) })
    }
}

fn fault(error: AbsorbError) -> Fault {
    let reason = error.to_string();
    match error {
        AbsorbError::NotShared => Fault::NotActive,
        AbsorbError::Gap { .. } | AbsorbError::Dependencies => Fault::Held { retry_ms: GAP_RETRY_MS, reason },
        AbsorbError::ClockSkew { .. } => Fault::Held { retry_ms: CLOCK_RETRY_MS, reason },
        AbsorbError::Store(_) => Fault::Fatal(reason),
        _ => Fault::Bad(reason),
    }
}

impl Rows for OnStore {
    fn rows(&self) -> Vec<(Bytes, Bytes)> {
        let scan = self.0.commit(|commit| Ok::<_, RequestError>(commit.table_scan(Table::Peer, &[])));
        scan.map(|(rows, _)| rows).unwrap_or_default()
    }

    fn put_row(&self, key: Bytes, value: Option<Bytes>) -> Later<'_, Result<(), String>> {
        Box::pin(async move {
            let written = self.0.commit(|commit| {
                match value {
                    Some(value) => commit.table_put(Table::Peer, key, value),
                    None => commit.table_delete(Table::Peer, &key),
                }
                Ok::<_, RequestError>(())
            });
            let (_, ticket) = written.map_err(|e| e.to_string())?;
            ticket.await.map_err(|e| e.to_string())
        })
    }
}

impl Shares for OnStore {
    fn facts(&self) -> Facts {
        let size = self.0.size();
        Facts {
            revision: self.0.revision(),
            compact_revision: self.0.compact_revision(),
            size_bytes: size.total_bytes,
            size_in_use_bytes: size.in_use_bytes,
            keys: size.keys,
        }
    }

    fn shares(&self) -> Vec<ShareView> {
        self.0.shares().into_iter().map(view).collect()
    }

    fn conflicts(&self, namespace: Option<&str>) -> Vec<ConflictView> {
        self.0.conflicts(namespace).into_iter().map(conflict).collect()
    }

    fn attach<'a>(&'a self, namespace: &'a str, peer: Uuid, peer_name: &'a str) -> Later<'a, Result<(), Refused>> {
        let peer = PeerRef { site_id: peer, name: peer_name.to_owned() };
        Box::pin(async move { self.0.share_attach(namespace, peer).await.map(|_| ()).map_err(refused) })
    }

    fn accept<'a>(&'a self, namespace: &'a str, from: &'a str, earliest: bool) -> Later<'a, Result<(), Refused>> {
        let collision = if earliest { Collision::Earliest } else { Collision::Refuse };
        Box::pin(async move { self.0.share_accept(namespace, from, collision).await.map(|_| ()).map_err(refused) })
    }

    fn detach<'a>(&'a self, namespace: &'a str) -> Later<'a, Result<(), Refused>> {
        Box::pin(async move { self.0.share_detach(namespace).await.map(|_| ()).map_err(refused) })
    }
}

fn refused(error: ShareError) -> Refused {
    let text = error.to_string();
    match error {
        ShareError::Refused(Refusal::NotInvited { .. }) => Refused::NotInvited(text),
        _ => Refused::Other(text),
    }
}

fn view(status: ShareStatus) -> ShareView {
    ShareView {
        id: status.id,
        namespace: status.namespace,
        state: match status.stage {
            Stage::Proposed => "proposed",
            Stage::Invited => "invited",
            Stage::Active => "active",
        },
        peer: Uuid::from_u128(status.peer.site_id),
        peer_name: status.peer.name,
        authority: match status.authority {
            Authority::All => "all".to_owned(),
            Authority::Home(site) => format!("home:{}", Uuid::from_u128(site)),
        },
        epoch: u64::from(status.epoch),
        have: status.have,
        objects: status.objects as u64,
        held: status.held,
        conflicts: status.conflicts as u64,
        own_entries: status.progress.own_entries,
        peer_has: status.progress.peer_has,
        peer_entries: status.progress.peer_entries,
        oldest_unacknowledged_unix_ms: status.progress.oldest_unacknowledged_ms,
    }
}

fn conflict(record: ConflictRecord) -> ConflictView {
    let candidate = |side: ConflictSide| Candidate { site: side.site, unix_ms: side.unix_ms, value: side.value };
    ConflictView {
        unix_ms: record.unix_ms,
        namespace: record.namespace,
        object: record.object,
        path: record.path,
        rule: record.rule,
        winner: record.winner.map(candidate),
        loser: candidate(record.loser),
    }
}
