//! Handshakes: each has a deadline, and their number is bounded, so that connections that say nothing hold nothing for
//! long.

use super::{LiveTls, certificate};
use crate::etcd::auth::PeerCertificate;
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// A handshake that takes longer is given up (etcd client/pkg/transport/listener_tls.go).
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);
/// Handshakes at one time; further connections wait, for as long as a handshake may take.
const HANDSHAKES_MAX: usize = 1024;

/// Makes plain streams secure.
#[derive(Clone, Debug)]
pub struct Handshakes {
    tls: Arc<LiveTls>,
    slots: Arc<Semaphore>,
    deadline: Duration,
}

impl Handshakes {
    /// With the product's bounds.
    #[must_use]
    pub fn new(tls: Arc<LiveTls>) -> Handshakes {
        Handshakes::bounded(tls, HANDSHAKES_MAX, HANDSHAKE_MAX)
    }

    /// With other bounds.
    pub(super) fn bounded(tls: Arc<LiveTls>, most: usize, deadline: Duration) -> Handshakes {
        Handshakes { tls, slots: Arc::new(Semaphore::new(most)), deadline }
    }

    /// Slots that are free now.
    #[cfg(test)]
    pub(super) fn free(&self) -> usize {
        self.slots.available_permits()
    }

    /// The time that a client has to say what it wants.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// Shakes hands with a client. Returns the stream, and the client's certificate if it names a user.
    ///
    /// # Errors
    /// The client, its certificate, or the deadline.
    pub(crate) async fn accept<S>(&self, stream: S) -> io::Result<(TlsStream<S>, Option<PeerCertificate>)>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let shaken = timeout(self.deadline, async {
            let _slot = self.slots.acquire().await.map_err(io::Error::other)?;
            TlsAcceptor::from(self.tls.current()).accept(stream).await
        });
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
        let stream = shaken.await.map_err(late)??;
        // A certificate names a user only if the operator says so (etcd: ClientCertAuthEnabled).
        let certificates = stream.get_ref().1.peer_certificates().filter(|_| self.tls.names_users());
        let leaf = certificates.and_then(<[_]>::first);
        let name = leaf.map(|leaf| certificate::common_name(leaf).unwrap_or_default());
        Ok((stream, name.map(|common_name| PeerCertificate { common_name: common_name.into() })))
    }
}
