//! The link listener: TCP, TLS by what the client comes for, then gRPC. Comes before `session` on the way of an entry.

use super::limits::{CONNECTIONS_MAX, HANDSHAKE_MS, HANDSHAKES_MAX};
use super::tls::{PAIRING_NAME, Proven, ServerTls, prove};
use crate::clock::now_unix_ms;
use crate::peer::PeerBook;
use rustls::pki_types::UnixTime;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tracing::debug;
use webpki::KeyUsage;

/// Pause after the system refused to accept, e.g. because it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a client comes for, proven by its handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A session; the site was pinned at the handshake.
    Link,
    /// Pairing; the site is a stranger, or not.
    Pairing,
}

/// What a service knows of its connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionInfo {
    /// Why the client came.
    pub purpose: Purpose,
    /// Who it proved to be.
    pub proven: Proven,
    /// Where it came from.
    pub remote: SocketAddr,
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: TlsStream<TcpStream>,
    info: ConnectionInfo,
    _slot: OwnedSemaphorePermit,
}

/// Accepts until the receiver of the connections is dropped.
pub async fn accept(
    listener: TcpListener,
    tls: ServerTls,
    book: PeerBook,
    connections: mpsc::Sender<io::Result<Connection>>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = connections.closed() => return,
        };
        let (tcp, remote) = match accepted {
            Ok(accepted) => accepted,
            Err(e) => {
                debug!("link listener: {e}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Over a bound the newcomer is dropped: those who are served do not wait for it.
        let (Ok(handshake), Ok(slot)) = (handshakes.clone().try_acquire_owned(), slots.clone().try_acquire_owned())
        else {
            continue;
        };
        let (tls, book, connections) = (tls.clone(), book.clone(), connections.clone());
        tokio::spawn(async move {
            let limit = Duration::from_millis(HANDSHAKE_MS);
            match timeout(limit, shake_hands(tcp, remote, tls, book)).await {
                Ok(Ok((stream, info))) => {
                    drop(handshake);
                    // The server ended: the connection ends with it.
                    let _ = connections.send(Ok(Connection { stream, info, _slot: slot })).await;
                }
                Ok(Err(e)) => debug!(%remote, "link handshake refused: {e}"),
                Err(_) => debug!(%remote, "link handshake took too long"),
            }
        });
    }
}

async fn shake_hands(
    tcp: TcpStream,
    remote: SocketAddr,
    tls: ServerTls,
    book: PeerBook,
) -> io::Result<(TlsStream<TcpStream>, ConnectionInfo)> {
    tcp.set_nodelay(true)?;
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
    let purpose = match start.client_hello().server_name() {
        Some(PAIRING_NAME) => Purpose::Pairing,
        _ => Purpose::Link,
    };
    if purpose == Purpose::Pairing && !book.expects_strangers(now_unix_ms()) {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "no invitation is open"));
    }
    let (config, stream) = match purpose {
        Purpose::Link => (tls.link, start),
        Purpose::Pairing => (tls.pairing, start),
    };
    let stream = stream.into_stream(config).await?;
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let (certificate, chain) = chain.split_first().ok_or_else(|| io::Error::other("no certificate"))?;
    let proven = prove(certificate, chain, UnixTime::now(), KeyUsage::client_auth()).map_err(io::Error::other)?;
    Ok((stream, ConnectionInfo { purpose, proven, remote }))
}

impl Connected for Connection {
    type ConnectInfo = ConnectionInfo;

    fn connect_info(&self) -> ConnectionInfo {
        self.info
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
