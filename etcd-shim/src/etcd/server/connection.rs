//! One connection: HTTP/1.1 or HTTP/2 by its first bytes, gRPC among it.

use super::{
    listener::{Accepted, Speaks},
    pings::Pings,
    requests::{Peer, Requests},
};
use crate::{
    config::Transport,
    metrics::{ClientRequests, NetworkCounters},
    tls::Handshakes,
};
use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// Flow-control window of one stream: a client may send a whole large request without waiting.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// Flow-control window of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 16 << 20;
/// Largest HTTP/2 frame that is taken.
const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Bytes that one stream may buffer before its sender waits.
const SEND_BUFFER_BYTES: usize = 1 << 20;
/// Most bytes of the headers of one request (grpc-go's default is 16 MiB; no client of etcd comes near this).
const HEADER_BYTES_MAX: u32 = 1 << 20;
/// A request over HTTP/1.1 must have its headers sent in this time (etcd server/embed/serve.go).
const HEADER_READ_MAX: Duration = Duration::from_secs(5 * 60);
/// First byte of a TLS connection: the content type of a handshake record.
const TLS_HANDSHAKE: u8 = 22;
/// How long a connection may finish its requests when the process stops.
const DRAIN: Duration = Duration::from_secs(1);

/// How a connection ended.
type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// What one connection is served with.
pub(super) struct Served {
    pub(super) router: Router,
    pub(super) transport: Transport,
    pub(super) security: Security,
    pub(super) network: NetworkCounters,
    pub(super) clients: ClientRequests,
    pub(super) log_authority: bool,
    pub(super) stop: CancellationToken,
}

/// How a connection becomes secure.
#[derive(Clone)]
pub(super) enum Security {
    Plain,
    Tls(Handshakes),
    /// As its first byte says.
    Either(Handshakes),
}

impl Security {
    /// Of an address. Without certificates only plain addresses are bound.
    pub(super) fn new(speaks: Speaks, handshakes: Option<Handshakes>) -> Security {
        match (speaks, handshakes) {
            (Speaks::Tls, Some(handshakes)) => Security::Tls(handshakes),
            (Speaks::Both, Some(handshakes)) => Security::Either(handshakes),
            _ => Security::Plain,
        }
    }
}

/// Serves a connection until it ends or the process stops.
pub(super) async fn serve(accepted: Accepted, served: Served) {
    let outcome = match accepted {
        Accepted::Tcp(stream) => serve_tcp(stream, served).await,
        Accepted::Unix(stream) => match UnixStream::from_std(stream) {
            Ok(stream) => secure(stream, served).await,
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = outcome {
        // Clients leave in every way; that is no event for an operator.
        tracing::debug!(error, "a connection ended");
    }
}

async fn serve_tcp(stream: std::net::TcpStream, mut served: Served) -> Outcome {
    let stream = TcpStream::from_std(stream)?;
    if let Security::Either(handshakes) = served.security {
        let mut first = [0];
        let seen = timeout(handshakes.deadline(), stream.peek(&mut first)).await??;
        let is_tls = seen > 0 && first == [TLS_HANDSHAKE];
        served.security = if is_tls { Security::Tls(handshakes) } else { Security::Plain };
    }
    secure(stream, served).await
}

async fn secure<S>(stream: S, served: Served) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Counted { stream, network: served.network };
    let service = Requests {
        router: served.router,
        peer: Peer::Plain,
        clients: served.clients,
        log_authority: served.log_authority,
    };
    match served.security {
        Security::Tls(handshakes) => {
            let (stream, certificate) = match handshakes.accept(stream).await {
                Ok(secured) => secured,
                Err(error) => {
                    tracing::warn!(%error, "rejected connection on client endpoint");
                    return Ok(());
                }
            };
            let service = Requests { peer: Peer::Secure(certificate), ..service };
            serve_stream(stream, service, served.transport, served.stop).await
        }
        _ => serve_stream(stream, service, served.transport, served.stop).await,
    }
}

async fn serve_stream<S>(stream: S, service: Requests, transport: Transport, stop: CancellationToken) -> Outcome
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(transport.max_concurrent_streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_header_list_size(HEADER_BYTES_MAX)
        .keep_alive_interval(transport.ping_every)
        .keep_alive_timeout(transport.ping_timeout);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_READ_MAX);
    let stream = TokioIo::new(Pings::new(stream, transport.ping_min));
    let connection = builder.serve_connection_with_upgrades(stream, TowerToHyperService::new(service));
    tokio::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    timeout(DRAIN, connection).await.unwrap_or(Ok(()))
}

/// A stream whose bytes are counted.
struct Counted<S> {
    stream: S,
    network: NetworkCounters,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buffer);
        this.network.received.inc_by((buffer.filled().len() - before) as u64);
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        count(&this.network, &outcome);
        outcome
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        count(&this.network, &outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

fn count(network: &NetworkCounters, written: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(bytes)) = written {
        network.sent.inc_by(*bytes as u64);
    }
}
