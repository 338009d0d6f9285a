//! The composition root: a configuration becomes a running site. Everything is bound before anything is served.

use crate::{
    admin,
    collaboration::{self, CollaborationError},
    config::{Address, Config, Listen},
    etcd::{
        self, Context, Member, Shared,
        alarm::{self, Alarms},
        auth::{Auth, LoadError},
        compactor,
        server::{Acceptor, BindError, Listener, SocketOptions, Speaks, Workers, accept, connections_max, controlled},
    },
    metrics::{Identity, Metrics},
    telemetry,
    tls::{Handshakes, LiveTls, TlsError},
};
use archipel_store::{Store, error::OpenError};
use axum::Router;
use std::{io, sync::Arc, time::Instant};
use thiserror::Error;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The item of Go's GODEBUG that makes an HTTP/2 server print what it decodes.
const HTTP2_DEBUG: &str = "http2debug=2";

/// Why a site could not be served.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AppError {
    /// An address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A log file.
    #[error("--log-outputs: {0}")]
    Log(#[from] telemetry::OutputError),
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

/// Serves a site until SIGTERM or SIGINT; returns which of them ended it.
///
/// # Errors
/// What kept the site from being served; nothing was served then.
pub fn serve(config: Config) -> Result<SignalKind, AppError> {
    let started = Instant::now();
    telemetry::start(&config.log)?;
    for note in &config.notes {
        tracing::warn!(subject = note.subject, "{}", note.text);
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

async fn run(config: Config, workers: &Arc<Workers>, started: Instant) -> Result<SignalKind, AppError> {
    // A taken address and a wrong certificate are the most common mistakes: they are found before the store is touched.
    let options = SocketOptions { reuse_port: config.listen.reuse_port };
    let clients = Listener::bind(&config.listen.client, options).await?;
    let http = Listener::bind(&config.listen.http, options).await?;
    let scrapers = Listener::bind(&config.listen.metrics, options).await?;
    let tls = LiveTls::open(&config.tls, &config.data_dir, certified_hosts(&config.listen))?.map(Arc::new);
    let stop = CancellationToken::new();
    let signals = on_signal(stop.clone())?;

    let metrics = Metrics::new(config.metrics)?;
    let store = open(&config, &metrics).await?;
    let mut site = Site { config, store, metrics, stop, tasks: JoinSet::new(), connections: TaskTracker::new() };
    let signal = tokio::spawn(signals);

    collaboration::start(&mut site).await?;
    let context = context(&site)?;
    let acceptor = acceptor(&site, workers, tls);
    let mut routers = etcd::routes(&context, site.config.http.gateway);
    routers.http = controlled(routers.http, &site.config.http);
    if http.is_empty() {
        serve_on(&mut site, &acceptor, clients, &routers.both(), "grpc+http");
    } else {
        serve_on(&mut site, &acceptor, clients, &routers.grpc_only(), "grpc");
        serve_on(&mut site, &acceptor, http, &routers.http_only(), "http");
    }
    serve_metrics_on(&mut site, &acceptor, scrapers, &admin::http::metrics_routes(context.clone()));
    site.tasks.spawn(compactor::run(site.store.clone(), site.config.auto_compaction, site.stop.clone()));
    site.tasks.spawn(alarm::watch_disk(context));
    ready(&site, started);

    let ended_by = signal.await.map_err(io::Error::other)?;
    close(site).await;
    Ok(ended_by)
}

/// Ends what runs, in the order in which nothing is lost.
async fn close(mut site: Site) {
    let (name, data_dir) = (site.config.name.clone(), site.config.data_dir.display().to_string());
    tracing::info!(name, data_dir, "closing etcd server");
    site.stop.cancel();
    while site.tasks.join_next().await.is_some() {}
    // What was accepted is answered before the store closes; each connection has its own time limit.
    site.connections.close();
    site.connections.wait().await;
    site.store.close().await;
    tracing::info!(name, data_dir, "closed etcd server");
}

/// Opens the store on a thread that may block: recovery reads the whole log.
async fn open(config: &Config, metrics: &Metrics) -> Result<Store, AppError> {
    let mut settings = archipel_store::Config::new(&config.data_dir, &config.name);
    settings.prefix.clone_from(&config.kubernetes_prefix);
    settings.min_lease_ttl_s = config.min_lease_ttl_s;
    settings.value_cache_bytes = config.value_cache_bytes;
    settings.scrub_bytes_per_second = config.scrub_bytes_per_second;
    settings.fsync = config.fsync;
    let disk = metrics.disk.clone();
    let opened =
        tokio::task::spawn_blocking(move || Store::open_with(settings, disk.disk(), |index| disk.index(index)));
    let opened = opened.await;
    Ok(opened.map_err(io::Error::other)??)
}

fn context(site: &Site) -> Result<Context, AppError> {
    let config = &site.config;
    let identity = *site.store.site().site_id.as_bytes();
    let (clients, peers) = (config.advertise_client.clone(), config.advertise_peer.clone());
    let member = Member::new(identity, config.name.clone(), clients, peers);
    let identity = Identity { member_id: member.member_id, quota_bytes: config.quota_bytes };
    site.metrics.identify(identity, &site.store)?;
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

/// What a certificate that is made must be for.
fn certified_hosts(listen: &Listen) -> Vec<String> {
    let host = |address: &Address| match address {
        Address::Tcp(ip, _) => ip.to_string(),
        Address::Localhost(_) | Address::Unix(_) => "localhost".to_owned(),
    };
    let mut hosts: Vec<_> = listen.client.iter().chain(&listen.http).map(|url| host(&url.address)).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

fn acceptor(site: &Site, workers: &Arc<Workers>, tls: Option<Arc<LiveTls>>) -> Acceptor {
    if let Some(tls) = &tls {
        site.metrics.watch_certificates(Arc::clone(tls));
    }
    Acceptor {
        workers: Arc::clone(workers),
        transport: site.config.transport,
        handshakes: tls.map(Handshakes::new),
        slots: Arc::new(Semaphore::new(connections_max())),
        network: site.metrics.network.clone(),
        clients: site.metrics.clients.clone(),
        connections: site.connections.clone(),
        log_authority: std::env::var("GODEBUG").is_ok_and(|debug| debug.split(',').any(|item| item == HTTP2_DEBUG)),
        stop: site.stop.clone(),
    }
}

/// Serves clients, and says so in the words that scripts and test frameworks wait for.
fn serve_on(site: &mut Site, acceptor: &Acceptor, listeners: Vec<Listener>, router: &Router, traffic: &str) {
    for listener in listeners {
        let (address, speaks) = (listener.address.to_string(), listener.speaks);
        site.tasks.spawn(accept(listener, router.clone(), acceptor.clone()));
        tracing::info!(address, "ready to serve client requests");
        if speaks != Speaks::Tls {
            tracing::info!(traffic, address, "serving client traffic insecurely; this is strongly discouraged!");
        }
        if speaks != Speaks::Plain {
            tracing::info!(traffic, address, "serving client traffic securely");
        }
    }
}

fn serve_metrics_on(site: &mut Site, acceptor: &Acceptor, listeners: Vec<Listener>, router: &Router) {
    for listener in listeners {
        tracing::info!(address = %listener.address, "serving metrics");
        site.tasks.spawn(accept(listener, router.clone(), acceptor.clone()));
    }
}

/// Everything is served: systemd is told, if it started us.
fn ready(site: &Site, started: Instant) {
    let revision = site.store.revision();
    let started_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(name = site.config.name, revision, started_ms, "the site is served");
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "systemd could not be told that the site is served");
    }
}

/// Waits for SIGTERM or SIGINT.
fn on_signal(stop: CancellationToken) -> io::Result<impl Future<Output = SignalKind>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        let (kind, name) = tokio::select! {
            _ = terminate.recv() => (SignalKind::terminate(), "terminated"),
            _ = interrupt.recv() => (SignalKind::interrupt(), "interrupt"),
        };
        tracing::info!(signal = name, "received signal; shutting down");
        stop.cancel();
        kind
    })
}
