//! Accepts connections and deals them out to the workers.

use super::{connection, listener::Listener, workers::Workers};
use crate::metrics::NetworkCounters;
use axum::Router;
use std::{sync::Arc, time::Duration};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Pause after a failed accept: usually no file descriptor is left, and trying again at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a listener's connections are served with.
#[derive(Clone, Debug)]
pub struct Acceptor {
    /// The threads.
    pub workers: Arc<Workers>,
    /// What is served.
    pub router: Router,
    /// Most concurrent requests of one connection.
    pub max_concurrent_streams: u32,
    /// Byte counters.
    pub network: NetworkCounters,
    /// The connections that are open.
    pub connections: TaskTracker,
    /// Ends accepting and, gently, the connections.
    pub stop: CancellationToken,
}

/// Accepts until the process stops.
pub async fn accept(listener: Listener, acceptor: Acceptor) {
    loop {
        let accepted = tokio::select! {
            () = acceptor.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => {
                let Some(worker) = acceptor.workers.next() else { return };
                let served = connection::serve(
                    accepted,
                    acceptor.router.clone(),
                    acceptor.max_concurrent_streams,
                    acceptor.network.clone(),
                    acceptor.stop.clone(),
                );
                worker.spawn(acceptor.connections.track_future(served));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
