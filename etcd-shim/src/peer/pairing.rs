//! Two sites become peers: `accept` dials the inviter with the fingerprint of the token pinned, proves the secret, and both
//! pin what the TLS connection between them proved.

use super::book::{Joining, Peer, PeerBook, told};
use super::error::PeerError;
use super::identity::Identity;
use super::text::is_address;
use super::token::Token;
use crate::clock::now_unix_ms;
use crate::link::acceptor::{ConnectionInfo, Purpose};
use crate::link::dial::{DialError, dial};
use crate::link::limits::{ADDRESSES_MAX, HANDSHAKE_MS};
use crate::link::proto::pairing_client::PairingClient;
use crate::link::proto::pairing_server::Pairing;
use crate::link::proto::{JoinReply, JoinRequest};
use crate::link::replica::Site;
use crate::link::tls::{PAIRING_NAME, Proven};
use std::time::Duration;
use tonic::{Request, Response, Status};
use tracing::info;
use uuid::Uuid;

/// Lets invited sites join.
#[derive(Clone, Debug)]
pub struct PairingService {
    book: PeerBook,
    own: Site,
    configured: Option<String>,
}

impl PairingService {
    /// The service of the site `own`, whose peers are told the address `configured`.
    pub fn new(book: PeerBook, own: Site, configured: Option<String>) -> Self {
        Self { book, own, configured }
    }
}

#[tonic::async_trait]
impl Pairing for PairingService {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let info = request.extensions().get::<ConnectionInfo>().copied();
        let info = info.filter(|info| info.purpose == Purpose::Pairing);
        let Some(ConnectionInfo { proven, remote, .. }) = info else {
            return Err(Status::permission_denied("this connection is not for pairing"));
        };
        let request = request.into_inner();
        let refused = |e: PeerError| Status::permission_denied(e.to_string());
        if request.site_id.as_ref() != proven.site_id.as_bytes() {
            return Err(Status::permission_denied("the site id is not the one that the certificate names"));
        }
        let joining = Joining {
            invite_id: Uuid::from_slice(&request.invite_id).map_err(|_| refused(PeerError::UnknownInvite))?,
            secret: request.secret,
            name: request.name,
            site_id: proven.site_id,
            fingerprint: proven.fingerprint,
            addresses: request.address.into_iter().take(ADDRESSES_MAX).collect(),
        };
        let peer = self.book.join(now_unix_ms(), joining).await.map_err(refused)?;
        info!(peer = %peer.name, site_id = %peer.site_id, %remote, "paired: the site joined with an invitation");
        Ok(Response::new(JoinReply {
            name: self.own.name.clone(),
            site_id: self.own.site_id.as_bytes().to_vec().into(),
            address: peer.told(self.configured.as_deref()),
        }))
    }
}

/// Accepts an invitation: dials the inviter and pairs. `own_address` replaces the `configured` address that the inviter is
/// told; empty leaves it.
///
/// # Errors
/// The token cannot be used, the inviter cannot be reached or refuses. Neither side is half-paired in a way that the same
/// invitation, tried again, does not mend.
pub async fn accept(
    token: &str,
    identity: &Identity,
    own: &Site,
    book: &PeerBook,
    own_address: &str,
    configured: Option<&str>,
) -> Result<Peer, PeerError> {
    let token = Token::decode(token)?;
    if token.site_id == own.site_id {
        return Err(PeerError::OwnToken);
    }
    let addresses = told(own_address, configured);
    if let Some(bad) = addresses.iter().find(|address| !is_address(address)) {
        return Err(PeerError::BadAddress(bad.clone()));
    }
    let peer = Peer {
        name: token.name.clone(),
        site_id: token.site_id,
        fingerprint: token.fingerprint,
        addresses: vec![token.address.clone()],
        since_unix_ms: now_unix_ms(),
        own_address: own_address.to_owned(),
    };
    // What would fail here is said before the invitation is spent there.
    book.may_be_peer(&peer)?;
    let expected = Proven { site_id: token.site_id, fingerprint: token.fingerprint };
    let unreachable =
        |reason: String| PeerError::Unreachable { name: token.name.clone(), address: token.address.clone(), reason };
    let channel = dial(identity, expected, &token.address, PAIRING_NAME).await.map_err(|e| match e {
        DialError::Identity { address, source } => PeerError::Impostor { address, reason: source.to_string() },
        // The inviter hangs up on strangers while no invitation is open.
        DialError::Handshake { .. } => PeerError::Refused {
            name: token.name.clone(),
            reason: "it has no open invitation; this one expired or was never made there, ask for a new one".into(),
        },
        DialError::Connect { source, .. } => unreachable(source.to_string()),
        other => unreachable(other.to_string()),
    })?;
    let mut request = Request::new(JoinRequest {
        invite_id: token.invite_id.as_bytes().to_vec().into(),
        secret: token.secret.clone().into(),
        name: own.name.clone(),
        site_id: own.site_id.as_bytes().to_vec().into(),
        address: addresses,
    });
    request.set_timeout(Duration::from_millis(HANDSHAKE_MS));
    PairingClient::new(channel).join(request).await.map_err(|status| match status.code() {
        tonic::Code::PermissionDenied => {
            PeerError::Refused { name: token.name.clone(), reason: status.message().to_owned() }
        }
        _ => unreachable(status.message().to_owned()),
    })?;
    book.pin(peer.clone()).await?;
    info!(peer = %peer.name, site_id = %peer.site_id, "paired: this site joined with an invitation");
    Ok(peer)
}
