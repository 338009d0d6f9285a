//! What makes a site more than an etcd: its links to peers and its admin socket. `app` starts it once the store is open.

use crate::admin::grpc::{self, Admin, SocketError, socket_path};
use crate::app::Site;
use crate::link::{self, OnStore, StartError};
use archipel_store::replica::ShareError;
use std::sync::Arc;
use thiserror::Error;

/// Why it could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CollaborationError {
    /// Links.
    #[error(transparent)]
    Links(#[from] StartError),
    /// The admin socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// What a crash interrupted.
    #[error("the shares cannot go on: {0}")]
    Shares(#[from] ShareError),
}

/// Starts links and admin API of `site`; both end when the site stops. Shares go on first where a crash interrupted them.
///
/// # Errors
/// An address, the identity, the peer table or the socket cannot be used.
pub async fn start(site: &mut Site) -> Result<(), CollaborationError> {
    let config = &site.config;
    let socket = socket_path(&config.data_dir, config.admin_socket.as_deref())?;
    site.store.resume_shares().await?;
    let on_store = Arc::new(OnStore(site.store.clone()));
    let wish = link::Config {
        data_dir: config.data_dir.clone(),
        listen: config.link_listen,
        advertise: config.link_advertise.clone(),
    };
    let running = link::start(wish, on_store.clone(), on_store.clone()).await?;
    let links = running.links;
    let admin =
        Admin { links: links.clone(), listening: running.listening, shares: on_store, store: Some(site.store.clone()) };
    grpc::serve(admin, &socket, links.stopping())?;
    let stop = site.stop.clone();
    site.tasks.spawn(async move {
        stop.cancelled().await;
        links.stop();
    });
    Ok(())
}
