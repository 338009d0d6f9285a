//! The requests of one connection, on their way to the router.

use crate::{etcd::auth::PeerCertificate, metrics::ClientRequests};
use axum::{Router, body::Body, routing::future::RouteFuture};
use http::{Method, Request, Version};
use hyper::body::Incoming;
use std::{
    convert::Infallible,
    task::{Context, Poll},
};
use tower::Service;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// Nobody knows.
    Plain,
    /// TLS is spoken; with the client's certificate if one was asked for and verified.
    Secure(Option<PeerCertificate>),
}

/// In the extensions of every request that came over TLS.
#[derive(Clone, Copy, Debug)]
pub struct OverTls;

/// Tells the router who asks.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    pub(super) router: Router,
    pub(super) peer: Peer,
    pub(super) clients: ClientRequests,
    pub(super) log_authority: bool,
}

impl Service<Request<Incoming>> for Requests {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        if let Peer::Secure(certificate) = &self.peer {
            request.extensions_mut().insert(OverTls);
            if let Some(certificate) = certificate {
                request.extensions_mut().insert(certificate.clone());
            }
        }
        // gRPC is the only traffic over HTTP/2 that posts.
        if request.version() == Version::HTTP_2 && request.method() == Method::POST {
            self.clients.count(request.uri().path(), request.headers());
        }
        if self.log_authority {
            log_authority(&request);
        }
        self.router.call(request)
    }
}

/// The line that Go's HTTP/2 server prints with GODEBUG=http2debug=2; a test of etcd waits for it (tests/common,
/// TestAuthority).
fn log_authority(request: &Request<Incoming>) {
    if let Some(authority) = request.uri().authority() {
        eprintln!("http2: decoded hpack field header field \":authority\" = \"{authority}\"");
    }
}
