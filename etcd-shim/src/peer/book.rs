//! The peers that this site trusts, and its open invitations. Rows in the store; a copy in memory that all tasks read.
//!
//! One book a process. Changes are durable before they are visible, and made one at a time.

use super::error::PeerError;
use super::identity::Fingerprint;
use super::token::{SECRET_BYTES, Token};
use super::{is_address, is_name, proto};
use crate::link::limits::{ADDRESSES_MAX, INVITES_MAX, PEERS_MAX};
use crate::link::replica::{Later, Site};
use bytes::Bytes;
use prost::Message;
use ring::rand::{SecureRandom, SystemRandom};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use tokio::sync::{Mutex, watch};
use uuid::Uuid;

/// Longest life of an invitation.
pub const TTL_HOURS_MAX: u64 = 24 * 7;
/// Expired invitations are remembered this long, so that their holder is told what happened.
const REMEMBER_MS: u64 = 24 * 3600 * 1000;
/// As an own address: tell the peer none.
pub const NO_ADDRESS: &str = "none";

const PEER_PREFIX: &[u8] = b"peer/";
const INVITE_PREFIX: &[u8] = b"invite/";

/// The rows of the peer table.
pub trait Rows: Send + Sync + Debug + 'static {
    /// All rows.
    fn rows(&self) -> Vec<(Bytes, Bytes)>;

    /// Writes or (None) deletes a row. Durable when it resolves.
    ///
    /// # Errors
    /// The row is as it was.
    fn put_row(&self, key: Bytes, value: Option<Bytes>) -> Later<'_, Result<(), String>>;
}

/// A peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its name, unique among the peers.
    pub name: String,
    /// Its site id.
    pub site_id: Uuid,
    /// What its CA must hash to.
    pub fingerprint: Fingerprint,
    /// Where it can be dialled; empty if it dials us.
    pub addresses: Vec<String>,
    /// When both paired, Unix time in milliseconds.
    pub since_unix_ms: u64,
    /// What it is told as our address: empty for the configured one, [`NO_ADDRESS`] for none.
    pub own_address: String,
}

impl Peer {
    /// The addresses of ours that the peer is told, `configured` being the site's own.
    pub fn told(&self, configured: Option<&str>) -> Vec<String> {
        told(&self.own_address, configured)
    }
}

/// Which address another site is told: its own one, or the configured one.
pub fn told(own_address: &str, configured: Option<&str>) -> Vec<String> {
    match own_address {
        "" => configured.map(str::to_owned).into_iter().collect(),
        NO_ADDRESS => Vec::new(),
        address => vec![address.to_owned()],
    }
}

/// A site that wants to join with an invitation. Site id and fingerprint are what its TLS connection proved.
#[derive(Clone, Debug)]
pub struct Joining {
    /// Which invitation.
    pub invite_id: Uuid,
    /// The proof.
    pub secret: Bytes,
    /// Its name.
    pub name: String,
    /// Its site id.
    pub site_id: Uuid,
    /// Its CA.
    pub fingerprint: Fingerprint,
    /// Where it can be dialled.
    pub addresses: Vec<String>,
}

#[derive(Clone, Debug)]
struct Invite {
    id: Uuid,
    secret_sha256: [u8; 32],
    expires_unix_ms: u64,
    own_address: String,
    used_by: Option<Uuid>,
}

/// The book. Clones share it.
#[derive(Clone, Debug)]
pub struct PeerBook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    rows: Arc<dyn Rows>,
    own: Site,
    own_fingerprint: Fingerprint,
    peers: watch::Sender<Arc<BTreeMap<Uuid, Peer>>>,
    /// Also serialises every change of the book.
    invites: Mutex<BTreeMap<Uuid, Invite>>,
    /// When the last unused invitation expires: strangers are let near the pairing service until then.
    open_until_unix_ms: watch::Sender<u64>,
}

impl PeerBook {
    /// Reads the book of the site `own`.
    ///
    /// # Errors
    /// A row cannot be read.
    pub fn open(rows: Arc<dyn Rows>, own: Site, own_fingerprint: Fingerprint) -> Result<Self, PeerError> {
        let (mut peers, mut invites) = (BTreeMap::new(), BTreeMap::new());
        for (key, value) in rows.rows() {
            if key.starts_with(PEER_PREFIX) {
                let peer = decode_peer(&value)?;
                peers.insert(peer.site_id, peer);
            } else if key.starts_with(INVITE_PREFIX) {
                let invite = decode_invite(&value)?;
                invites.insert(invite.id, invite);
            }
        }
        let open_until = open_until(&invites);
        Ok(Self(Arc::new(Inner {
            rows,
            own,
            own_fingerprint,
            peers: watch::Sender::new(Arc::new(peers)),
            invites: Mutex::new(invites),
            open_until_unix_ms: watch::Sender::new(open_until),
        })))
    }

    /// All peers by site id.
    pub fn peers(&self) -> Arc<BTreeMap<Uuid, Peer>> {
        self.0.peers.borrow().clone()
    }

    /// Follows the peers.
    pub fn changes(&self) -> watch::Receiver<Arc<BTreeMap<Uuid, Peer>>> {
        self.0.peers.subscribe()
    }

    /// The peer with this site id.
    pub fn peer(&self, site_id: Uuid) -> Option<Peer> {
        self.0.peers.borrow().get(&site_id).cloned()
    }

    /// The peer with this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(&self, name: &str) -> Result<Peer, PeerError> {
        let peers = self.peers();
        peers.values().find(|peer| peer.name == name).cloned().ok_or_else(|| PeerError::NoSuchPeer(name.to_owned()))
    }

    /// True while an invitation is open.
    pub fn expects_strangers(&self, now_unix_ms: u64) -> bool {
        now_unix_ms < *self.0.open_until_unix_ms.borrow()
    }

    /// Makes an invitation. `own_address` replaces the `configured` address for whoever uses it; empty leaves it.
    ///
    /// # Errors
    /// There is no address to dial, or a bound is reached.
    pub async fn invite(
        &self,
        now_unix_ms: u64,
        ttl_s: u64,
        own_address: &str,
        configured: Option<&str>,
    ) -> Result<Token, PeerError> {
        if ttl_s == 0 || ttl_s > TTL_HOURS_MAX * 3600 {
            return Err(PeerError::BadTtl { max_hours: TTL_HOURS_MAX });
        }
        let address = told(own_address, configured).pop().ok_or(PeerError::NoAddress)?;
        if !is_address(&address) {
            return Err(PeerError::BadAddress(address));
        }
        let mut invites = self.0.invites.lock().await;
        self.forget(&mut invites, now_unix_ms).await?;
        if invites.len() >= INVITES_MAX {
            return Err(PeerError::TooManyInvites(invites.len()));
        }
        let mut secret = vec![0; SECRET_BYTES];
        SystemRandom::new().fill(&mut secret).map_err(|_| PeerError::NoRandomness)?;
        let invite = Invite {
            id: Uuid::new_v4(),
            secret_sha256: sha256(&secret),
            expires_unix_ms: now_unix_ms + ttl_s * 1000,
            own_address: own_address.to_owned(),
            used_by: None,
        };
        self.put(invite_key(invite.id), Some(encode_invite(&invite))).await?;
        let token = Token {
            name: self.0.own.name.clone(),
            site_id: self.0.own.site_id,
            fingerprint: self.0.own_fingerprint,
            address,
            invite_id: invite.id,
            secret,
            expires_unix_ms: invite.expires_unix_ms,
        };
        invites.insert(invite.id, invite);
        self.0.open_until_unix_ms.send_replace(open_until(&invites));
        Ok(token)
    }

    /// Lets a site in that proved an invitation. The invitation is spent before the peer is pinned; the same site may
    /// repeat the call, in case it did not hear the answer.
    ///
    /// # Errors
    /// The invitation is unknown, spent or expired, or the site cannot be a peer; nothing changed.
    pub async fn join(&self, now_unix_ms: u64, joining: Joining) -> Result<Peer, PeerError> {
        let mut invites = self.0.invites.lock().await;
        let invite = invites.get(&joining.invite_id).ok_or(PeerError::UnknownInvite)?;
        // Digests are compared, so the time that it takes says nothing about the secret.
        if sha256(&joining.secret) != invite.secret_sha256 {
            return Err(PeerError::UnknownInvite);
        }
        if now_unix_ms >= invite.expires_unix_ms {
            return Err(PeerError::Expired);
        }
        let peer = Peer {
            name: joining.name,
            site_id: joining.site_id,
            fingerprint: joining.fingerprint,
            addresses: joining.addresses,
            since_unix_ms: now_unix_ms,
            own_address: invite.own_address.clone(),
        };
        match invite.used_by {
            Some(site) if site != peer.site_id => return Err(PeerError::Used),
            Some(_) => {
                // A repeat changes nothing; a site that was revoked since does not come back by it.
                let known = self.peer(peer.site_id).filter(|known| known.fingerprint == peer.fingerprint);
                return known.ok_or(PeerError::Used);
            }
            None => {}
        }
        self.may_be_peer(&peer)?;
        let spent = Invite { used_by: Some(peer.site_id), ..invite.clone() };
        self.put(invite_key(spent.id), Some(encode_invite(&spent))).await?;
        invites.insert(spent.id, spent);
        self.0.open_until_unix_ms.send_replace(open_until(&invites));
        self.write_peer(peer.clone()).await?;
        Ok(peer)
    }

    /// Pins the inviter, after it let us in.
    ///
    /// # Errors
    /// The site cannot be a peer.
    pub async fn pin(&self, peer: Peer) -> Result<(), PeerError> {
        let _one_at_a_time = self.0.invites.lock().await;
        self.may_be_peer(&peer)?;
        self.write_peer(peer).await
    }

    /// Says whether a site could be pinned.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn may_be_peer(&self, peer: &Peer) -> Result<(), PeerError> {
        if peer.site_id == self.0.own.site_id {
            return Err(PeerError::SameSite);
        }
        if !is_name(&peer.name) {
            return Err(PeerError::BadName(peer.name.clone()));
        }
        if peer.name == self.0.own.name {
            return Err(PeerError::SameName(peer.name.clone()));
        }
        if let Some(bad) = peer.addresses.iter().find(|address| !is_address(address)) {
            return Err(PeerError::BadAddress(bad.clone()));
        }
        let peers = self.peers();
        // An invitation lets a new site in; it does not let its holder step into an old one's place.
        if let Some(known) = peers.get(&peer.site_id).filter(|known| known.fingerprint != peer.fingerprint) {
            return Err(PeerError::OtherIdentity(known.name.clone()));
        }
        if peers.values().any(|other| other.name == peer.name && other.site_id != peer.site_id) {
            return Err(PeerError::NameTaken(peer.name.clone()));
        }
        if peers.len() >= PEERS_MAX && !peers.contains_key(&peer.site_id) {
            return Err(PeerError::TooManyPeers(peers.len()));
        }
        Ok(())
    }

    /// Takes a peer's trust away. Its session is cut when this is visible.
    ///
    /// # Errors
    /// There is no such peer.
    pub async fn revoke(&self, name: &str) -> Result<Peer, PeerError> {
        let _one_at_a_time = self.0.invites.lock().await;
        let peer = self.named(name)?;
        self.put(peer_key(peer.site_id), None).await?;
        self.0.peers.send_modify(|peers| {
            Arc::make_mut(peers).remove(&peer.site_id);
        });
        Ok(peer)
    }

    /// The peer said where it can be dialled now.
    ///
    /// # Errors
    /// The row could not be written.
    pub async fn learn_addresses(&self, site_id: Uuid, addresses: Vec<String>) -> Result<(), PeerError> {
        let addresses: Vec<String> = addresses.into_iter().filter(|a| is_address(a)).take(ADDRESSES_MAX).collect();
        let _one_at_a_time = self.0.invites.lock().await;
        match self.peer(site_id) {
            Some(peer) if peer.addresses != addresses => self.write_peer(Peer { addresses, ..peer }).await,
            _ => Ok(()),
        }
    }

    async fn write_peer(&self, peer: Peer) -> Result<(), PeerError> {
        self.put(peer_key(peer.site_id), Some(encode_peer(&peer))).await?;
        self.0.peers.send_modify(|peers| {
            Arc::make_mut(peers).insert(peer.site_id, peer);
        });
        Ok(())
    }

    async fn forget(&self, invites: &mut BTreeMap<Uuid, Invite>, now_unix_ms: u64) -> Result<(), PeerError> {
        let over = |invite: &&Invite| invite.expires_unix_ms.saturating_add(REMEMBER_MS) <= now_unix_ms;
        let old: Vec<Uuid> = invites.values().filter(over).map(|invite| invite.id).collect();
        for id in old {
            self.put(invite_key(id), None).await?;
            invites.remove(&id);
        }
        Ok(())
    }

    async fn put(&self, key: Bytes, value: Option<Bytes>) -> Result<(), PeerError> {
        self.0.rows.put_row(key, value).await.map_err(PeerError::NotDurable)
    }
}

fn open_until(invites: &BTreeMap<Uuid, Invite>) -> u64 {
    // A spent invitation counts until it expires: its holder may have to repeat the call.
    invites.values().map(|invite| invite.expires_unix_ms).max().unwrap_or(0)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    out
}

fn peer_key(site_id: Uuid) -> Bytes {
    [PEER_PREFIX, site_id.as_bytes().as_slice()].concat().into()
}

fn invite_key(id: Uuid) -> Bytes {
    [INVITE_PREFIX, id.as_bytes().as_slice()].concat().into()
}

fn encode_peer(peer: &Peer) -> Bytes {
    let row = proto::PeerRow {
        name: peer.name.clone(),
        site_id: peer.site_id.as_bytes().to_vec().into(),
        ca_fingerprint: peer.fingerprint.0.to_vec().into(),
        address: peer.addresses.clone(),
        since_unix_ms: peer.since_unix_ms,
        own_address: peer.own_address.clone(),
    };
    row.encode_to_vec().into()
}

fn decode_peer(value: &[u8]) -> Result<Peer, PeerError> {
    let row = proto::PeerRow::decode(value).map_err(|e| PeerError::BadRow(e.to_string()))?;
    Ok(Peer {
        site_id: Uuid::from_slice(&row.site_id).map_err(|e| PeerError::BadRow(e.to_string()))?,
        fingerprint: Fingerprint::from_slice(&row.ca_fingerprint)
            .ok_or_else(|| PeerError::BadRow("fingerprint".into()))?,
        name: row.name,
        addresses: row.address,
        since_unix_ms: row.since_unix_ms,
        own_address: row.own_address,
    })
}

fn encode_invite(invite: &Invite) -> Bytes {
    let row = proto::InviteRow {
        id: invite.id.as_bytes().to_vec().into(),
        secret_sha256: invite.secret_sha256.to_vec().into(),
        expires_unix_ms: invite.expires_unix_ms,
        own_address: invite.own_address.clone(),
        used_by: invite.used_by.map(|site| site.as_bytes().to_vec().into()).unwrap_or_default(),
    };
    row.encode_to_vec().into()
}

fn decode_invite(value: &[u8]) -> Result<Invite, PeerError> {
    let bad = |what: &str| PeerError::BadRow(what.to_owned());
    let row = proto::InviteRow::decode(value).map_err(|e| PeerError::BadRow(e.to_string()))?;
    let used_by = match row.used_by.is_empty() {
        true => None,
        false => Some(Uuid::from_slice(&row.used_by).map_err(|_| bad("used_by"))?),
    };
    Ok(Invite {
        id: Uuid::from_slice(&row.id).map_err(|_| bad("invite id"))?,
        secret_sha256: row.secret_sha256.as_ref().try_into().map_err(|_| bad("secret"))?,
        expires_unix_ms: row.expires_unix_ms,
        own_address: row.own_address,
        used_by,
    })
}
