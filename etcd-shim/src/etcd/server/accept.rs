//! Accepts connections and deals them out to the workers.

use super::{
    connection::{self, Security, Served},
    listener::{Accepted, Listener, Socket, Speaks},
    workers::Workers,
};
use crate::{
    config::Transport,
    metrics::{ClientRequests, NetworkCounters},
    tls::Handshakes,
};
use axum::Router;
use std::{io, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Pause after a failed accept: usually no file descriptor is left, and trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections are served with; clones share it.
#[derive(Clone, Debug)]
pub struct Acceptor {
    /// The threads.
    pub workers: Arc<Workers>,
    /// How connections are kept.
    pub transport: Transport,
    /// TLS; None = only plain addresses are bound.
    pub handshakes: Option<Handshakes>,
    /// A permit for each connection that may be open; without one, the next waits to be accepted.
    pub slots: Arc<Semaphore>,
    /// Byte counters.
    pub network: NetworkCounters,
    /// Requests by the client's version.
    pub clients: ClientRequests,
    /// The connections that are open.
    pub connections: TaskTracker,
    /// Log the `:authority` of every request, as Go does with GODEBUG=http2debug=2.
    pub log_authority: bool,
    /// Ends accepting and, gently, the connections.
    pub stop: CancellationToken,
}

/// Accepts at an address until the process stops.
pub async fn accept(listener: Listener, router: Router, acceptor: Acceptor) {
    let speaks = listener.speaks;
    let loops = TaskTracker::new();
    for socket in listener.sockets {
        loops.spawn(accept_at(socket, speaks, router.clone(), acceptor.clone()));
    }
    loops.close();
    loops.wait().await;
}

async fn accept_at(socket: Socket, speaks: Speaks, router: Router, acceptor: Acceptor) {
    let security = Security::new(speaks, acceptor.handshakes.clone());
    loop {
        let accepted = tokio::select! {
            () = acceptor.stop.cancelled() => return,
            accepted = next(&socket, &acceptor.slots) => accepted,
        };
        match accepted {
            Ok((accepted, slot)) => {
                let Some(worker) = acceptor.workers.next() else { return };
                let served = Served {
                    router: router.clone(),
                    transport: acceptor.transport,
                    security: security.clone(),
                    network: acceptor.network.clone(),
                    clients: acceptor.clients.of_connection(),
                    log_authority: acceptor.log_authority,
                    stop: acceptor.stop.clone(),
                };
                let serving = async move {
                    connection::serve(accepted, served).await;
                    drop(slot);
                };
                worker.spawn(acceptor.connections.track_future(serving));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn next(socket: &Socket, slots: &Arc<Semaphore>) -> io::Result<(Accepted, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.map_err(io::Error::other)?;
    Ok((socket.accept().await?, slot))
}
