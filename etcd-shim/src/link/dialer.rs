//! Keeps a link with every peer: one task a peer that dials when nobody else does, and backs off when it fails.

use super::acceptor::{ConnectionInfo, Purpose};
use super::backoff::Backoff;
use super::dial::dial;
use super::engine::Hello;
use super::limits::{BACKOFF_RESET_MS, FRAME_BYTES_MAX, PATIENCE_MS, PROTOCOL, TRANSPORT_FRAMES_MAX};
use super::links::{LinkState, Links};
use super::proto;
use super::proto::link_client::LinkClient;
use super::proto::link_server::Link;
use super::session::{self, Ended, Opening, Transport};
use super::tls::{LINK_NAME, Proven};
use crate::clock::monotonic_ms;
use crate::peer::Peer;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use tracing::debug;
use uuid::Uuid;

/// Bytes of a gRPC message: a frame with what surrounds its entries.
pub const MESSAGE_BYTES_MAX: usize = FRAME_BYTES_MAX + (1 << 20);

/// Follows the book: starts a dialler for every peer, ends those of revoked ones. Ends when the links stop.
pub async fn supervise(links: Links) {
    let mut peers = links.book().changes();
    let mut diallers: BTreeMap<Uuid, CancellationToken> = BTreeMap::new();
    let stopping = links.stopping();
    loop {
        let now = peers.borrow_and_update().clone();
        links.close_revoked();
        diallers.retain(|peer, stop| {
            let stays = now.contains_key(peer);
            if !stays {
                stop.cancel();
            }
            stays
        });
        for &peer in now.keys() {
            diallers.entry(peer).or_insert_with(|| {
                let stop = stopping.child_token();
                tokio::spawn(keep_link(links.clone(), peer, stop.clone()));
                stop
            });
        }
        tokio::select! {
            changed = peers.changed() => if changed.is_err() { return },
            () = stopping.cancelled() => return,
        }
    }
}

async fn keep_link(links: Links, peer: Uuid, stop: CancellationToken) {
    tokio::select! {
        () = dial_again_and_again(links, peer) => {}
        () = stop.cancelled() => {}
    }
}

async fn dial_again_and_again(links: Links, site_id: Uuid) {
    let mut backoff = Backoff::default();
    let mut up = links.changes();
    let mut book = links.book().changes();
    let mut patient = true;
    loop {
        while links.is_up(site_id) {
            if up.changed().await.is_err() {
                return;
            }
            patient = true;
        }
        let Some(peer) = links.book().peer(site_id) else { return };
        if peer.addresses.is_empty() {
            links.note(site_id, LinkState::Waiting, None, None);
            tokio::select! {
                _ = up.changed() => {}
                _ = book.changed() => {}
            }
            continue;
        }
        // Both can dial: the smaller id does. The other one waits, but not for ever: the way may lead one way only.
        let peer_dials = !peer.told(links.advertise()).is_empty() && site_id < links.site().site_id;
        if peer_dials && patient {
            links.note(site_id, LinkState::Waiting, None, None);
            tokio::select! {
                () = sleep(Duration::from_millis(PATIENCE_MS)) => patient = false,
                _ = up.changed() => {}
            }
            continue;
        }
        let started_ms = monotonic_ms();
        attempt(&links, &peer).await;
        if monotonic_ms().saturating_sub(started_ms) >= BACKOFF_RESET_MS && !links.is_up(site_id) {
            backoff.reset();
        }
        if links.is_up(site_id) {
            continue;
        }
        links.note(site_id, LinkState::Backoff, None, None);
        let wait = Duration::from_millis(backoff.next_ms(random()));
        tokio::select! {
            () = sleep(wait) => {}
            _ = up.changed() => {}
            _ = book.changed() => {}
        }
    }
}

/// One round over the peer's addresses; a session is run to its end.
async fn attempt(links: &Links, peer: &Peer) {
    let expected = Proven { site_id: peer.site_id, fingerprint: peer.fingerprint };
    for address in &peer.addresses {
        links.note(peer.site_id, LinkState::Dialling, Some(address), None);
        let channel = match dial(links.identity(), expected, address, LINK_NAME).await {
            Ok(channel) => channel,
            Err(e) => {
                debug!(peer = %peer.name, "dial failed: {e}");
                links.note(peer.site_id, LinkState::Dialling, None, Some(e.to_string()));
                continue;
            }
        };
        let (outgoing, frames) = mpsc::channel(TRANSPORT_FRAMES_MAX);
        let mut client = LinkClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let incoming = match client.session(ReceiverStream::new(frames)).await {
            Ok(response) => Box::pin(response.into_inner()),
            Err(status) => {
                // With TLS 1.3 the server's refusal of our certificate comes with the first answer.
                let text = format!(
                    "{address} refused the session: {}; if the peer revoked this site, pair again",
                    status.message()
                );
                links.note(peer.site_id, LinkState::Dialling, None, Some(text));
                continue;
            }
        };
        let opening = Opening { peer: peer.site_id, dialled_by: links.site().site_id, address: address.clone() };
        let ended = session::run(links.clone(), hello(links, peer), opening, Transport { incoming, outgoing }).await;
        if let Ended::Lost(reason) = ended {
            links.note(peer.site_id, LinkState::Dialling, None, Some(reason));
        }
        return;
    }
}

fn hello(links: &Links, peer: &Peer) -> Hello {
    let site = links.site();
    Hello {
        protocol: PROTOCOL,
        site_id: site.site_id,
        name: site.name.clone(),
        actor: site.actor,
        addresses: peer.told(links.advertise()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn random() -> u64 {
    // A v4 id is 122 random bits; the low half has 62 of them.
    Uuid::new_v4().as_u64_pair().1
}

/// Sessions that peers open.
#[derive(Clone, Debug)]
pub struct LinkService {
    links: Links,
}

impl LinkService {
    /// The service of these links.
    pub fn new(links: Links) -> Self {
        Self { links }
    }
}

#[tonic::async_trait]
impl Link for LinkService {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<proto::Frame, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<proto::Frame>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let info = request.extensions().get::<ConnectionInfo>().copied();
        let info = info.filter(|info| info.purpose == Purpose::Link);
        let Some(ConnectionInfo { proven, remote, .. }) = info else {
            return Err(Status::permission_denied("this connection is not for sessions"));
        };
        // The handshake looked at the pin; it may have been revoked since.
        let peer = self.links.book().peer(proven.site_id).filter(|peer| peer.fingerprint == proven.fingerprint);
        let Some(peer) = peer else {
            return Err(Status::permission_denied("this site is not a peer"));
        };
        let (outgoing, frames) = mpsc::channel(TRANSPORT_FRAMES_MAX);
        let opening = Opening { peer: proven.site_id, dialled_by: proven.site_id, address: remote.to_string() };
        let transport = Transport { incoming: Box::pin(request.into_inner()), outgoing };
        tokio::spawn(session::run(self.links.clone(), hello(&self.links, &peer), opening, transport));
        Ok(Response::new(Box::pin(ReceiverStream::new(frames).map(Ok))))
    }
}
