//! The services. Each request is checked here, done elsewhere, and answered with a text that names the next command.

use super::proto::conflicts_server::{Conflicts, ConflictsServer};
use super::proto::peers_server::{Peers, PeersServer};
use super::proto::shares_server::{Shares as SharesApi, SharesServer};
use super::proto::site_server::{Site, SiteServer};
use super::proto::snapshots_server::{Snapshots, SnapshotsServer};
use super::proto::{
    AcceptRequest, AcceptShareRequest, AttachRequest, DetachRequest, InviteReply, InviteRequest, ListConflictsReply,
    ListConflictsRequest, ListPeersReply, ListPeersRequest, ListSharesReply, ListSharesRequest, Peer, RevokeReply,
    RevokeRequest, SaveRequest, Share, SnapshotChunk, StatusReply, StatusRequest,
};
use super::socket::{SocketError, bind, is_owner};
use super::status;
use crate::clock::now_unix_ms;
use crate::link::Links;
use crate::peer::{self, PeerError};
use crate::share::{self, Merge, ShareVerbError, Shares};
use crate::snapshot;
use archipel_store::Store;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, transport::Server};
use tracing::{error, info};

/// Requests of one connection at a time.
const STREAMS_MAX: u32 = 64;

/// What the services work on. Clones share it.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The links.
    pub links: Links,
    /// Where links are accepted.
    pub listening: Option<SocketAddr>,
    /// The shares.
    pub shares: Arc<dyn Shares>,
    /// The store, for snapshots; a site without one has none.
    pub store: Option<Store>,
}

/// Serves the admin API on `path` until `stop`.
///
/// # Errors
/// The socket cannot be made.
pub fn serve(admin: Admin, path: &Path, stop: CancellationToken) -> Result<(), SocketError> {
    let listener = bind(path)?;
    let router = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(SiteServer::new(admin.clone()))
        .add_service(PeersServer::new(admin.clone()))
        .add_service(SharesServer::new(admin.clone()))
        .add_service(ConflictsServer::new(admin.clone()))
        .add_service(SnapshotsServer::new(admin));
    let path = path.to_owned();
    tokio::spawn(async move {
        let owners = UnixListenerStream::new(listener).filter(|stream| stream.as_ref().map_or(true, is_owner));
        if let Err(e) = router.serve_with_incoming_shutdown(owners, stop.cancelled_owned()).await {
            error!("the admin socket ended: {e}");
        }
        // Best effort: one that stays is replaced at the next start.
        let _ = std::fs::remove_file(path);
    });
    Ok(())
}

#[tonic::async_trait]
impl Site for Admin {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusReply>, Status> {
        Ok(Response::new(StatusReply {
            site: Some(status::site(&self.links, self.listening, self.shares.facts())),
            peer: status::peers(&self.links),
            share: self.all_shares(),
        }))
    }
}

#[tonic::async_trait]
impl Snapshots for Admin {
    type SaveStream = Pin<Box<dyn Stream<Item = Result<SnapshotChunk, Status>> + Send>>;

    async fn save(&self, _: Request<SaveRequest>) -> Result<Response<Self::SaveStream>, Status> {
        let Some(store) = &self.store else { return Err(Status::unimplemented("this site has no store of its own")) };
        let reply = |chunk: snapshot::Chunk| SnapshotChunk { remaining_bytes: chunk.remaining_bytes, blob: chunk.blob };
        let chunks = snapshot::start(store);
        Ok(Response::new(Box::pin(
            chunks.map(move |chunk| chunk.map(reply).map_err(|error| Status::unavailable(error.to_string()))),
        )))
    }
}

#[tonic::async_trait]
impl Peers for Admin {
    async fn invite(&self, request: Request<InviteRequest>) -> Result<Response<InviteReply>, Status> {
        let InviteRequest { ttl_seconds, link_address } = request.into_inner();
        let book = self.links.book();
        let token = book
            .invite(now_unix_ms(), ttl_seconds, &link_address, self.links.advertise())
            .await
            .map_err(peer_status)?;
        info!(address = token.address, expires_unix_ms = token.expires_unix_ms, "invitation made");
        Ok(Response::new(InviteReply {
            token: token.encode(),
            expires_unix_ms: token.expires_unix_ms,
            address: token.address,
        }))
    }

    async fn accept(&self, request: Request<AcceptRequest>) -> Result<Response<Peer>, Status> {
        let AcceptRequest { token, link_address } = request.into_inner();
        let links = &self.links;
        let peer = peer::accept(&token, links.identity(), links.site(), links.book(), &link_address, links.advertise())
            .await
            .map_err(peer_status)?;
        Ok(Response::new(status::one_peer(links, &peer)))
    }

    async fn list(&self, _: Request<ListPeersRequest>) -> Result<Response<ListPeersReply>, Status> {
        Ok(Response::new(ListPeersReply { peer: status::peers(&self.links) }))
    }

    async fn revoke(&self, request: Request<RevokeRequest>) -> Result<Response<RevokeReply>, Status> {
        let peer = self.links.book().revoke(&request.into_inner().name).await.map_err(peer_status)?;
        self.links.close_revoked();
        info!(peer = %peer.name, site_id = %peer.site_id, "peer revoked");
        let still = self.shares.shares().into_iter().filter(|share| share.peer == peer.site_id);
        Ok(Response::new(RevokeReply { namespace_still_shared: still.map(|share| share.namespace).collect() }))
    }
}

#[tonic::async_trait]
impl SharesApi for Admin {
    async fn attach(&self, request: Request<AttachRequest>) -> Result<Response<Share>, Status> {
        let AttachRequest { namespace, with } = request.into_inner();
        let view = share::attach(&self.links, &*self.shares, &namespace, &with).await.map_err(share_status)?;
        info!(namespace, with, state = view.state, "share attached here");
        Ok(Response::new(status::share(&self.links, view)))
    }

    async fn accept(&self, request: Request<AcceptShareRequest>) -> Result<Response<Share>, Status> {
        let AcceptShareRequest { namespace, from, merge } = request.into_inner();
        let merge = Merge::parse(&merge).map_err(share_status)?;
        let view = share::accept(&self.links, &*self.shares, &namespace, &from, merge).await.map_err(share_status)?;
        info!(namespace, from, state = view.state, "share accepted here");
        Ok(Response::new(status::share(&self.links, view)))
    }

    async fn list(&self, _: Request<ListSharesRequest>) -> Result<Response<ListSharesReply>, Status> {
        Ok(Response::new(ListSharesReply { share: self.all_shares() }))
    }

    async fn detach(&self, request: Request<DetachRequest>) -> Result<Response<Share>, Status> {
        let namespace = request.into_inner().namespace;
        let view = share::detach(&*self.shares, &namespace).await.map_err(share_status)?;
        info!(namespace, with = view.peer_name, "share detached here, its objects stay");
        Ok(Response::new(status::share(&self.links, view)))
    }
}

#[tonic::async_trait]
impl Conflicts for Admin {
    async fn list(&self, request: Request<ListConflictsRequest>) -> Result<Response<ListConflictsReply>, Status> {
        let namespace = request.into_inner().namespace;
        let wanted = (!namespace.is_empty()).then_some(namespace.as_str());
        let conflict = self.shares.conflicts(wanted).into_iter().map(status::conflict).collect();
        Ok(Response::new(ListConflictsReply { conflict }))
    }
}

impl Admin {
    fn all_shares(&self) -> Vec<Share> {
        self.shares.shares().into_iter().map(|view| status::share(&self.links, view)).collect()
    }
}

fn peer_status(e: PeerError) -> Status {
    let text = e.to_string();
    match e {
        PeerError::NoSuchPeer(_) => Status::not_found(text),
        PeerError::Token(_) | PeerError::BadAddress(_) | PeerError::BadTtl { .. } => Status::invalid_argument(text),
        PeerError::Unreachable { .. } => Status::unavailable(text),
        _ => Status::failed_precondition(text),
    }
}

fn share_status(e: ShareVerbError) -> Status {
    let text = e.to_string();
    match e {
        ShareVerbError::Peer(e) => peer_status(e),
        ShareVerbError::Namespace(_) | ShareVerbError::Merge(_) => Status::invalid_argument(text),
        ShareVerbError::NotShared(_) => Status::not_found(text),
        _ => Status::failed_precondition(text),
    }
}
