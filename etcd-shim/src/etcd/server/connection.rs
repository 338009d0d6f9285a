//! One connection: HTTP/1.1 or HTTP/2 by its first bytes, gRPC among it.

use super::listener::Accepted;
use crate::metrics::NetworkCounters;
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
/// A dead client is noticed by a ping after this time without traffic, as in etcd (--grpc-keepalive-interval).
const PING_EVERY: Duration = Duration::from_secs(2 * 60 * 60);
/// A ping that is not answered in this time closes the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a connection may finish its requests when the process stops.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves a connection until it ends or the process stops.
pub(super) async fn serve(
    accepted: Accepted,
    router: Router,
    max_streams: u32,
    network: NetworkCounters,
    stop: CancellationToken,
) {
    let outcome = match accepted {
        Accepted::Tcp(stream) => match TcpStream::from_std(stream) {
            Ok(stream) => serve_stream(Counted { stream, network }, router, max_streams, stop).await,
            Err(error) => Err(error.into()),
        },
        Accepted::Unix(stream) => match UnixStream::from_std(stream) {
            Ok(stream) => serve_stream(Counted { stream, network }, router, max_streams, stop).await,
            Err(error) => Err(error.into()),
        },
    };
    if let Err(error) = outcome {
        // Clients leave in every way; that is no event for an operator.
        tracing::debug!(error, "a connection ended");
    }
}

async fn serve_stream<S>(
    stream: S,
    router: Router,
    max_streams: u32,
    stop: CancellationToken,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(max_streams)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder.http1().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        outcome = connection.as_mut() => return outcome,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    tokio::time::timeout(DRAIN, connection).await.unwrap_or(Ok(()))
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
