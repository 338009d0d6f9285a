//! The composition root: a configuration becomes a running site. Everything is bound before anything is served.

use crate::{
    admin,
    collaboration::{self, CollaborationError},
    config::{Config, ConfigError, ListenUrl},
    etcd::{
        self, Context, Member, Shared,
        alarm::{self, Alarms},
        auth::{Auth, LoadError},
        compactor,
        server::{Acceptor, BindError, Listener, Workers, accept},
    },
    metrics::Metrics,
    telemetry,
};
use archipel_store::{Store, error::OpenError};
use axum::Router;
use std::{io, sync::Arc, time::Instant};
use thiserror::Error;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Why a site could not be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppError {
    /// A flag.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The accounts.
    #[error(transparent)]
    Auth(#[from] LoadError),
    /// Links or the admin API.
    #[error(transparent)]
    Collaboration(#[from] CollaborationError),
    /// The metrics.
    #[error("metrics could not be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// Threads, runtimes, signals.
    #[error("the process could not be set up: {0}")]
    Process(#[from] io::Error),
}

/// A running site, as the parts of the process see it.
#[derive(Debug)]
pub struct Site {
    /// What the operator decided.
    pub config: Config,
    /// The store.
    pub store: Store,
    /// The metrics; rooms register their own.
    pub metrics: Metrics,
    /// Cancelled when the process stops.
    pub stop: CancellationToken,
    /// Tasks of the process on its main runtime; they end when `stop` is cancelled.
    pub tasks: JoinSet<()>,
    /// Open connections of clients; they end soon after `stop` is cancelled.
    pub connections: TaskTracker,
}

/// Serves a site until SIGTERM or SIGINT.
///
/// # Errors
/// What kept the site from being served; nothing was served then.
pub fn serve(config: Config) -> Result<(), AppError> {
    let started = Instant::now();
    telemetry::start(&config);
    for flag in &config.without_effect {
        tracing::warn!(flag, "this flag of etcd has no effect: a site is one member and keeps its own storage");
    }
    let workers = Arc::new(Workers::start()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(run(config, &workers, started));
    drop(runtime);
    if let Some(workers) = Arc::into_inner(workers) {
        workers.stop();
    }
    outcome
}

async fn run(config: Config, workers: &Arc<Workers>, started: Instant) -> Result<(), AppError> {
    // A taken address is the most common mistake: it is found before the store is touched.
    let clients = bind(&config.listen_client).await?;
    let scrapers = bind(&config.listen_metrics).await?;
    let stop = CancellationToken::new();
    let signals = on_signal(stop.clone())?;

    let store = open(&config).await?;
    let metrics = Metrics::new(config.quota_bytes.unwrap_or(0))?;
    let mut site = Site { config, store, metrics, stop, tasks: JoinSet::new(), connections: TaskTracker::new() };
    site.tasks.spawn(signals);

    collaboration::start(&mut site).await?;
    let context = context(&site)?;
    let routes = etcd::routes(&context, site.config.gateway);
    serve_on(&mut site, workers, clients, &routes);
    serve_on(&mut site, workers, scrapers, &admin::http::metrics_routes(context.clone()));
    site.tasks.spawn(compactor::run(site.store.clone(), site.config.auto_compaction, site.stop.clone()));
    site.tasks.spawn(alarm::watch_space(context));
    ready(&site, started);

    site.stop.cancelled().await;
    tracing::info!("closing the site");
    while site.tasks.join_next().await.is_some() {}
    // What was accepted is answered before the store closes; each connection has its own time limit.
    site.connections.close();
    site.connections.wait().await;
    site.store.close().await;
    tracing::info!("closed");
    Ok(())
}

/// Opens the store on a thread that may block: recovery reads the whole log.
async fn open(config: &Config) -> Result<Store, AppError> {
    let mut settings = archipel_store::Config::new(&config.data_dir, &config.name);
    settings.prefix.clone_from(&config.kubernetes_prefix);
    settings.min_lease_ttl_s = config.min_lease_ttl_s;
    settings.fsync = config.fsync;
    let opened = tokio::task::spawn_blocking(move || Store::open(settings)).await;
    Ok(opened.map_err(io::Error::other)??)
}

fn context(site: &Site) -> Result<Context, LoadError> {
    let config = &site.config;
    let identity = *site.store.site().site_id.as_bytes();
    let (clients, peers) = (config.advertise_client.clone(), config.advertise_peer.clone());
    let member = Member::new(identity, config.name.clone(), clients, peers);
    Ok(Context::new(Shared {
        store: site.store.clone(),
        alarms: Alarms::load(&site.store, member.member_id, config.quota_bytes),
        member,
        limits: config.limits,
        progress_notify: config.progress_notify,
        auth: Auth::load(&site.store, &config.auth)?,
        metrics: site.metrics.clone(),
        stop: site.stop.clone(),
    }))
}

async fn bind(urls: &[ListenUrl]) -> Result<Vec<(ListenUrl, Listener)>, BindError> {
    let mut bound = Vec::with_capacity(urls.len());
    for url in urls {
        bound.push((url.clone(), Listener::bind(url).await?));
    }
    Ok(bound)
}

fn serve_on(site: &mut Site, workers: &Arc<Workers>, listeners: Vec<(ListenUrl, Listener)>, router: &Router) {
    for (url, listener) in listeners {
        let acceptor = Acceptor {
            workers: Arc::clone(workers),
            router: router.clone(),
            max_concurrent_streams: site.config.limits.max_concurrent_streams,
            network: site.metrics.network.clone(),
            connections: site.connections.clone(),
            stop: site.stop.clone(),
        };
        site.tasks.spawn(accept(listener, acceptor));
        tracing::info!(address = %url, "serving");
    }
}

/// The line that scripts and test frameworks wait for.
fn ready(site: &Site, started: Instant) {
    let revision = site.store.revision();
    let started_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(name = site.config.name, revision, started_ms, "ready to serve client requests");
}

/// Cancels `stop` at SIGTERM or SIGINT.
fn on_signal(stop: CancellationToken) -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            () = stop.cancelled() => return,
        };
        tracing::info!(signal = name, "stopping");
        stop.cancel();
    })
}
