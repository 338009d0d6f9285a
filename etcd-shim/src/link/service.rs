//! Starts and stops all that has to do with links: identity, peers, listener, diallers.

use super::acceptor::accept;
use super::dial::STREAM_WINDOW_BYTES;
use super::dialer::{LinkService, MESSAGE_BYTES_MAX, supervise};
use super::limits::HANDSHAKES_MAX;
use super::links::Links;
use super::proto::link_server::LinkServer;
use super::proto::pairing_server::PairingServer;
use super::replica::Replica;
use super::tls::ServerTls;
use crate::config::LinkListen;
use crate::peer::{Identity, IdentityError, PairingService, PeerBook, PeerError, Rows, is_address};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tracing::{error, info, warn};

/// Streams of one connection: one session, or one call of pairing, and room for a mistake.
const STREAMS_MAX: u32 = 4;
/// Bytes of request headers.
const HEADER_BYTES_MAX: u32 = 16 << 10;

/// How links are set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// The site's data directory.
    pub data_dir: PathBuf,
    /// Where peers are accepted.
    pub listen: LinkListen,
    /// Where peers are told to dial, `host:port`. None tells them where this site listens, unless that is a wildcard;
    /// [`crate::peer::NO_ADDRESS`] tells them none.
    pub advertise: Option<String>,
}

/// Why links could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The peers.
    #[error(transparent)]
    Peers(#[from] PeerError),
    /// TLS.
    #[error("TLS 1.3 is not available: {0}")]
    Tls(#[from] rustls::Error),
    /// The listener.
    #[error("--link-listen-url: {address} cannot be listened on: {source}; choose a free address")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The advertised address.
    #[error("--link-advertise-address: {0:?} is not HOST:PORT, nor \"none\"")]
    Advertise(String),
}

/// Running links.
#[derive(Clone, Debug)]
pub struct Running {
    /// The registry.
    pub links: Links,
    /// Where peers are accepted.
    pub listening: Option<SocketAddr>,
}

/// Starts the links of a site. They run until [`Links::stop`].
///
/// # Errors
/// The identity, the peers or the address cannot be used.
pub async fn start(config: Config, replica: Arc<dyn Replica>, rows: Arc<dyn Rows>) -> Result<Running, StartError> {
    let site = replica.site();
    let (data_dir, site_id) = (config.data_dir.clone(), site.site_id);
    let identity = tokio::task::spawn_blocking(move || Identity::open(&data_dir, site_id))
        .await
        .map_err(|e| IdentityError::Certificate(e.to_string()))??;
    let book = PeerBook::open(rows, site.clone(), identity.fingerprint)?;
    let listener = listen(config.listen).await?;
    let listening = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    let advertise = advertised(config.advertise, listening)?;
    let links = Links::new(replica, identity, book, advertise);
    if let Some(listener) = listener {
        serve(listener, &links)?;
    }
    tokio::spawn(supervise(links.clone()));
    info!(listen = ?listening, advertise = ?links.advertise(), "links started");
    Ok(Running { links, listening })
}

async fn listen(wish: LinkListen) -> Result<Option<TcpListener>, StartError> {
    match wish {
        LinkListen::Nowhere => Ok(None),
        LinkListen::At(address) => match TcpListener::bind(address).await {
            Ok(listener) => Ok(Some(listener)),
            Err(source) => Err(StartError::Listen { address, source }),
        },
        LinkListen::IfFree(address) => Ok(TcpListener::bind(address)
            .await
            .inspect_err(|e| warn!("no link listener: {address}: {e}; give one with --link-listen-url"))
            .ok()),
    }
}

fn advertised(wish: Option<String>, listening: Option<SocketAddr>) -> Result<Option<String>, StartError> {
    match wish.as_deref() {
        Some(crate::peer::NO_ADDRESS) => Ok(None),
        Some(address) if is_address(address) => Ok(wish),
        Some(bad) => Err(StartError::Advertise(bad.to_owned())),
        None => Ok(listening.filter(|address| !address.ip().is_unspecified()).map(|address| address.to_string())),
    }
}

fn serve(listener: TcpListener, links: &Links) -> Result<(), StartError> {
    let tls = ServerTls::new(links.identity(), links.book())?;
    let (sender, connections) = mpsc::channel(HANDSHAKES_MAX);
    tokio::spawn(accept(listener, tls, links.book().clone(), sender));
    let pairing = PairingService::new(links.book().clone(), links.site().clone(), links.advertise().map(str::to_owned));
    let sessions = LinkServer::new(LinkService::new(links.clone()))
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let router = Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES)
        .add_service(sessions)
        .add_service(PairingServer::new(pairing));
    let stopping = links.stopping();
    tokio::spawn(async move {
        let served = router
            .serve_with_incoming_shutdown(ReceiverStream::new(connections), async move {
                stopping.cancelled().await;
            })
            .await;
        if let Err(e) = served {
            error!("the link listener ended: {e}");
        }
    });
    Ok(())
}
