//! All links of this site: who is connected, who dials whom, what status shows. One a process; clones share it.
//!
//! Invariant: at most one session a peer stands. Of two, the one that the smaller site id dialled stands; of two that the
//! same site dialled, the newer one, since the dialler has given the older one up.

use super::engine::{Counters, Intake, Progress, Session};
use super::replica::{Replica, Site};
use super::session::{Ended, Opening};
use crate::clock::now_unix_ms;
use crate::peer::{Identity, PeerBook};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use uuid::Uuid;

/// The registry.
#[derive(Clone, Debug)]
pub struct Links(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    replica: Arc<dyn Replica>,
    site: Site,
    identity: Identity,
    book: PeerBook,
    advertise: Option<String>,
    slots: Mutex<BTreeMap<Uuid, Slot>>,
    changed: watch::Sender<u64>,
    stopping: CancellationToken,
}

#[derive(Debug)]
struct Slot {
    status: LinkStatus,
    session: Option<Standing>,
}

#[derive(Debug)]
struct Standing {
    number: u64,
    dialled_by: Uuid,
    stop: CancellationToken,
}

/// Where a link stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LinkState {
    /// The peer has to dial; it has not yet.
    #[default]
    Waiting,
    /// A connection is being opened.
    Dialling,
    /// The last attempt failed; the next one is due later.
    Backoff,
    /// A session stands.
    Connected,
}

impl LinkState {
    /// As status shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Dialling => "dialling",
            Self::Backoff => "backoff",
            Self::Connected => "connected",
        }
    }
}

/// What status shows of one link.
#[derive(Clone, Debug, Default)]
pub struct LinkStatus {
    /// State.
    pub state: LinkState,
    /// Since when, Unix time in milliseconds.
    pub since_unix_ms: u64,
    /// What ended the last session or attempt; empty if none did.
    pub last_error: String,
    /// When.
    pub last_error_unix_ms: u64,
    /// Of the connection, or of the last attempt.
    pub address: String,
    /// The peer's release.
    pub version: String,
    /// Sessions since the start of the process.
    pub sessions: u64,
    /// Of the session, or of the last one.
    pub counters: Counters,
    /// Active shares in the session; empty without one.
    pub streams: BTreeMap<Uuid, StreamStatus>,
}

/// What status shows of one share on one link.
#[derive(Clone, Debug, Default)]
pub struct StreamStatus {
    /// `probe`, `replicate` or `stopped`.
    pub outbound: &'static str,
    /// `open`, `held` or `stopped`.
    pub inbound: &'static str,
    /// Why a direction does not flow; empty if both do.
    pub error: String,
    /// Bytes sent and not acknowledged.
    pub in_flight_bytes: usize,
    /// Number of the peer's own newest entry, as it said last.
    pub peer_newest: u64,
    /// For how long the peer has lacked entries of this site, in milliseconds.
    pub unacknowledged_ms: u64,
    /// For how long this site has known of entries that it lacks, in milliseconds.
    pub behind_ms: u64,
}

/// Whether a session may stand.
#[derive(Debug)]
pub enum Claim {
    /// It does.
    Stands(LinkUp),
    /// Another one does.
    Duplicate,
    /// The site is no peer any more.
    NotAPeer,
}

/// A session that stands. `down` ends it; dropping it without is a session that was aborted.
#[derive(Debug)]
pub struct LinkUp {
    links: Links,
    peer: Uuid,
    number: u64,
    /// Cancelled when the session has to end.
    pub stop: CancellationToken,
}

impl Links {
    /// The registry of the site whose store is `replica`. `advertise` is where peers are told to dial.
    pub fn new(replica: Arc<dyn Replica>, identity: Identity, book: PeerBook, advertise: Option<String>) -> Self {
        Self(Arc::new(Inner {
            site: replica.site(),
            replica,
            identity,
            book,
            advertise,
            slots: Mutex::default(),
            changed: watch::Sender::new(0),
            stopping: CancellationToken::new(),
        }))
    }

    /// The replicas behind the links.
    pub fn replica(&self) -> Arc<dyn Replica> {
        self.0.replica.clone()
    }

    /// This site.
    pub fn site(&self) -> &Site {
        &self.0.site
    }

    /// Its identity.
    pub fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// Its peers.
    pub fn book(&self) -> &PeerBook {
        &self.0.book
    }

    /// Where peers are told to dial, if anywhere.
    pub fn advertise(&self) -> Option<&str> {
        self.0.advertise.as_deref()
    }

    /// True if the site is a peer now.
    pub fn is_peer(&self, peer: Uuid) -> bool {
        self.0.book.peer(peer).is_some()
    }

    /// Ends all links, for good.
    pub fn stop(&self) {
        self.0.stopping.cancel();
    }

    /// True after [`Links::stop`].
    pub fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Cancelled when the links end.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stopping.clone()
    }

    /// What ends a session with `peer` that does not stand yet.
    pub fn stop_token(&self, _peer: Uuid) -> CancellationToken {
        self.0.stopping.child_token()
    }

    /// Fires when a link went up or down.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// What status shows of the link with `peer`.
    pub fn status(&self, peer: Uuid) -> LinkStatus {
        self.slots().get(&peer).map(|slot| slot.status.clone()).unwrap_or_default()
    }

    /// True while a session with `peer` stands.
    pub fn is_up(&self, peer: Uuid) -> bool {
        self.slots().get(&peer).is_some_and(|slot| slot.session.is_some())
    }

    /// Notes where a link without a session stands.
    pub fn note(&self, peer: Uuid, state: LinkState, address: Option<&str>, error: Option<String>) {
        let mut slots = self.slots();
        let slot = slots.entry(peer).or_insert_with(Slot::new);
        if let Some(error) = error {
            slot.status.last_error = error;
            slot.status.last_error_unix_ms = now_unix_ms();
        }
        if slot.session.is_none() {
            slot.status.enter(state);
            if let Some(address) = address {
                slot.status.address = address.to_owned();
            }
        }
    }

    /// Asks for a session to stand, after both Hellos.
    pub fn claim(&self, opening: &Opening, version: String) -> Claim {
        let mut slots = self.slots();
        // Looked up under the lock: `close_revoked` runs after the book has changed and takes the same lock.
        if !self.is_peer(opening.peer) || self.is_stopping() {
            return Claim::NotAPeer;
        }
        let preferred = self.0.site.site_id.min(opening.peer);
        let slot = slots.entry(opening.peer).or_insert_with(Slot::new);
        if let Some(standing) = &slot.session {
            if standing.dialled_by == preferred && opening.dialled_by != preferred {
                return Claim::Duplicate;
            }
            standing.stop.cancel();
        }
        slot.status.enter(LinkState::Connected);
        slot.status.sessions += 1;
        slot.status.address = opening.address.clone();
        slot.status.version = version;
        slot.status.streams.clear();
        let stop = self.0.stopping.child_token();
        let number = slot.status.sessions;
        slot.session = Some(Standing { number, dialled_by: opening.dialled_by, stop: stop.clone() });
        drop(slots);
        self.fire();
        Claim::Stands(LinkUp { links: self.clone(), peer: opening.peer, number, stop })
    }

    /// Ends the sessions of sites that are no peers any more, and forgets them.
    pub fn close_revoked(&self) {
        let mut slots = self.slots();
        slots.retain(|&peer, slot| {
            let stays = self.is_peer(peer);
            if let (false, Some(standing)) = (stays, &slot.session) {
                standing.stop.cancel();
            }
            stays
        });
    }

    /// The peer said where it can be dialled; noted in the background.
    pub fn learn_addresses(&self, peer: Uuid, addresses: Vec<String>) {
        let book = self.0.book.clone();
        tokio::spawn(async move {
            if let Err(e) = book.learn_addresses(peer, addresses).await {
                warn!(%peer, "the peer's addresses were not noted: {e}");
            }
        });
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<Uuid, Slot>> {
        // A panic under the lock leaves a status that is at worst stale.
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fire(&self) {
        self.0.changed.send_modify(|n| *n += 1);
    }
}

impl Slot {
    fn new() -> Self {
        let status = LinkStatus { since_unix_ms: now_unix_ms(), ..LinkStatus::default() };
        Self { status, session: None }
    }
}

impl LinkStatus {
    fn enter(&mut self, state: LinkState) {
        // Attempts that follow each other are one outage: its beginning is what people want to see.
        let outage = |s: LinkState| matches!(s, LinkState::Dialling | LinkState::Backoff);
        if state != self.state && !(outage(state) && outage(self.state)) {
            self.since_unix_ms = now_unix_ms();
        }
        self.state = state;
    }
}

impl LinkUp {
    /// Notes what the session looks like.
    pub fn publish(&self, session: &Session, now_ms: u64) {
        let mut slots = self.links.slots();
        let Some(slot) = slots.get_mut(&self.peer).filter(|slot| slot.is_standing(self.number)) else { return };
        slot.status.counters = session.counters();
        slot.status.streams = session
            .shares()
            .map(|(share, link)| {
                let (outbound, out_error) = match &link.outbound.progress {
                    Progress::Probe => ("probe", None),
                    Progress::Replicate => ("replicate", None),
                    Progress::Stopped(reason) => ("stopped", Some(reason.clone())),
                };
                let (inbound, in_error) = match &link.inbound.intake {
                    Intake::Open => ("open", None),
                    Intake::Held { reason, .. } => ("held", Some(format!("entries of the peer are held: {reason}"))),
                    Intake::Stopped(reason) => ("stopped", Some(format!("an entry of the peer is wrong: {reason}"))),
                };
                let since = |at: Option<u64>| at.map_or(0, |at| now_ms.saturating_sub(at).max(1));
                let status = StreamStatus {
                    outbound,
                    inbound,
                    error: in_error.or(out_error).unwrap_or_default(),
                    in_flight_bytes: link.outbound.in_flight_bytes(),
                    peer_newest: link.inbound.peer_newest,
                    unacknowledged_ms: since(link.unacknowledged_since_ms),
                    behind_ms: since(link.inbound.behind_since_ms),
                };
                (share, status)
            })
            .collect();
    }

    /// The session ended.
    pub fn down(self, ended: &Ended) {
        let mut slots = self.links.slots();
        let Some(slot) = slots.get_mut(&self.peer).filter(|slot| slot.is_standing(self.number)) else { return };
        slot.session = None;
        slot.status.streams.clear();
        slot.status.enter(LinkState::Waiting);
        if let Ended::Lost(reason) = ended {
            slot.status.last_error = reason.clone();
            slot.status.last_error_unix_ms = now_unix_ms();
        }
        drop(slots);
        self.links.fire();
    }
}

impl Slot {
    fn is_standing(&self, number: u64) -> bool {
        self.session.as_ref().is_some_and(|standing| standing.number == number)
    }
}
