//! One outgoing connection: TCP, TLS with a pinned server, an HTTP/2 channel on it.

use super::limits::{FRAME_BYTES_MAX, HANDSHAKE_MS};
use super::tls::{Proven, client_config};
use crate::peer::Identity;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Bytes that a stream may have under way before the receiver reads: more than a whole window of entries.
pub const STREAM_WINDOW_BYTES: u32 = 2 * FRAME_BYTES_MAX as u32;

/// Why a connection could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DialError {
    /// Nothing answers.
    #[error("{address} cannot be reached: {source}; check that the site runs and that the network lets it through")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The peer took too long.
    #[error("{0} did not answer in time; check the network path")]
    Timeout(String),
    /// The certificate of whoever answers is not the pinned one.
    #[error("what answers at {address} does not hold the pinned identity: {source}; check the address, or pair again")]
    Identity {
        /// Where.
        address: String,
        /// How TLS says it.
        source: io::Error,
    },
    /// The connection broke before both sides had proven who they are.
    #[error("{address} hung up during the handshake: {source}; check that the address leads to the site")]
    Handshake {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// TLS is not available, or HTTP/2 failed.
    #[error("the connection to {address} failed: {reason}")]
    Channel {
        /// Where.
        address: String,
        /// Why.
        reason: String,
    },
}

/// Dials the site that `expected` describes, for the purpose that `name` is.
///
/// # Errors
/// It cannot be reached, or is another site.
pub async fn dial(
    identity: &Identity,
    expected: Proven,
    address: &str,
    name: &'static str,
) -> Result<Channel, DialError> {
    let channel_failed = |reason: String| DialError::Channel { address: address.to_owned(), reason };
    let config = client_config(identity, expected).map_err(|e| channel_failed(e.to_string()))?;
    let connect = async {
        let tcp = TcpStream::connect(address)
            .await
            .and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp))
            .map_err(|source| DialError::Connect { address: address.to_owned(), source })?;
        let server_name = ServerName::try_from(name).map_err(|e| channel_failed(e.to_string()))?;
        TlsConnector::from(config).connect(server_name, tcp).await.map_err(|source| handshake_failed(address, source))
    };
    let stream = timeout(Duration::from_millis(HANDSHAKE_MS), connect)
        .await
        .map_err(|_| DialError::Timeout(address.to_owned()))??;
    channel(stream).await.map_err(|e| channel_failed(e.to_string()))
}

fn handshake_failed(address: &str, source: io::Error) -> DialError {
    let address = address.to_owned();
    let inner = source.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => DialError::Identity { address, source },
        _ => DialError::Handshake { address, source },
    }
}

/// An HTTP/2 channel on a stream that is open. It is never dialled again: a lost connection is a lost session.
async fn channel(stream: TlsStream<TcpStream>) -> Result<Channel, tonic::transport::Error> {
    let mut once = Some(TokioIo::new(stream));
    Endpoint::from_static("http://peer.archipel")
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(STREAM_WINDOW_BYTES)
        .connect_with_connector(service_fn(move |_| {
            let stream = once.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
            async move { stream }
        }))
        .await
}
