//! A server with the product's transport and nothing behind it: the same listener, threads and connections, the same gRPC
//! library and messages, but each reply is canned. What it costs is what no store can go below.

mod service;

use std::net::SocketAddr;
use std::sync::Arc;

use archipel::config::ListenUrl;
use archipel::etcd::server::{Acceptor, Listener, Workers, accept};
use archipel::etcd::wire::kv_server::KvServer;
use archipel::metrics::Metrics;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tonic::service::Routes;

use service::Null;

/// As many calls at once on a connection as anyone asks for.
const STREAMS_MAX: u32 = 1 << 20;

/// Serves until the process is stopped.
///
/// # Errors
/// The address is taken, or threads cannot be started.
pub(crate) fn serve(address: SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    let workers = Arc::new(Workers::start()?);
    let metrics = Metrics::new(0)?;
    let acceptor = Acceptor {
        workers,
        router: Routes::new(KvServer::new(Null::default())).into_axum_router(),
        max_concurrent_streams: STREAMS_MAX,
        network: metrics.network.clone(),
        connections: TaskTracker::new(),
        stop: CancellationToken::new(),
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = Listener::bind(&ListenUrl::Http(address.to_string())).await?;
        accept(listener, acceptor).await;
        Ok(())
    })
}
