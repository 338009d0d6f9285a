//! A server with the product's transport and nothing behind it: the same listener, threads and connections, the same gRPC
//! library and messages, but each reply is canned. What it costs is what no store can go below.

mod service;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use archipel::config::{Address, ListenUrl, Transport};
use archipel::etcd::server::{Acceptor, Listener, SocketOptions, Workers, accept, connections_max};
use archipel::etcd::wire::kv_server::KvServer;
use archipel::metrics::{Metrics, MetricsSettings};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

use service::Null;

/// As a site's when no flag says otherwise.
const TRANSPORT: Transport = Transport {
    max_concurrent_streams: u32::MAX,
    ping_min: Duration::from_secs(5),
    ping_every: Some(Duration::from_secs(2 * 60 * 60)),
    ping_timeout: Duration::from_secs(20),
};

/// Serves until the process is stopped.
///
/// # Errors
/// The address is taken, or threads cannot be started.
pub(crate) fn serve(address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let workers = Arc::new(Workers::start()?);
    let metrics = Metrics::new(MetricsSettings { extensive: false, slow_request: Duration::MAX })?;
    let acceptor = Acceptor {
        workers,
        transport: TRANSPORT,
        handshakes: None,
        slots: Arc::new(Semaphore::new(connections_max())),
        network: metrics.network.clone(),
        clients: metrics.clients.clone(),
        connections: TaskTracker::new(),
        log_authority: false,
        stop: CancellationToken::new(),
    };
    let router = Routes::new(KvServer::new(Null::default())).into_axum_router();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let url = ListenUrl { secure: false, address: Address::Tcp(address.ip(), address.port()) };
        for listener in Listener::bind(&[url], SocketOptions { reuse_port: false }).await? {
            accept(listener, router.clone(), acceptor.clone()).await;
        }
        Ok(())
    })
}
