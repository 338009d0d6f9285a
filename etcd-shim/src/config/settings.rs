//! From values to a configuration that can be acted on: everything is validated here, before anything is opened
//! (etcd server/embed/config.go, `Validate`).

use super::{
    AutoCompaction, ConfigError, LinkListen, ListenUrl, LogSettings, Note, TlsSettings, Values, feature_gates,
    flag::Class, urls,
};
use crate::{etcd::auth::AuthSettings, metrics::MetricsSettings};
use std::{path::PathBuf, time::Duration};

/// etcd's default quota: 2 GiB (server/storage/quota.go).
const DEFAULT_QUOTA_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// etcd's default interval of progress notifications.
const DEFAULT_PROGRESS_NOTIFY: Duration = Duration::from_secs(600);
/// A shorter interval is raised to this.
const MIN_PROGRESS_NOTIFY: Duration = Duration::from_millis(100);
/// The longest election timeout.
const ELECTION_MS_MAX: u64 = 50_000;
/// The election timeout is at least this many heartbeats.
const HEARTBEATS_MIN: u64 = 5;

/// A configuration that makes sense.
#[derive(Clone, Debug)]
pub struct Config {
    /// The site's name.
    pub name: String,
    /// Where its data live.
    pub data_dir: PathBuf,
    /// Where it listens.
    pub listen: Listen,
    /// What clients are told to dial.
    pub advertise_client: Vec<String>,
    /// The peer URLs that member lists show.
    pub advertise_peer: Vec<String>,
    /// TLS.
    pub tls: TlsSettings,
    /// Connections.
    pub transport: Transport,
    /// HTTP that is not gRPC.
    pub http: Http,
    /// Where the links of peers are accepted.
    pub link_listen: LinkListen,
    /// Where peers are told to dial, if not where this site listens.
    pub link_advertise: Option<String>,
    /// The socket of the admin API, if not the one in the data directory.
    pub admin_socket: Option<PathBuf>,
    /// Prefix of Kubernetes' keys.
    pub kubernetes_prefix: String,
    /// Bytes of values that stay in memory.
    pub value_cache_bytes: u64,
    /// Bytes of the commit log that are checked in a second, in the background; 0 = none.
    pub scrub_bytes_per_second: u64,
    /// The shortest lease, in seconds.
    pub min_lease_ttl_s: i64,
    /// Bytes after which writes are refused; None = never.
    pub quota_bytes: Option<u64>,
    /// Limits of the etcd interface.
    pub limits: Limits,
    /// How tokens are made and passwords are hashed.
    pub auth: AuthSettings,
    /// When history is compacted without being asked.
    pub auto_compaction: AutoCompaction,
    /// Interval of periodic progress notifications of watchers that asked for them.
    pub progress_notify: Duration,
    /// Sync before acknowledging.
    pub fsync: bool,
    /// Logs.
    pub log: LogSettings,
    /// Metrics.
    pub metrics: MetricsSettings,
    /// What the log must say about the flags.
    pub notes: Vec<Note>,
}

/// Where the site listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// gRPC, and HTTP unless `http` is not empty.
    pub client: Vec<ListenUrl>,
    /// HTTP without gRPC.
    pub http: Vec<ListenUrl>,
    /// Health and metrics.
    pub metrics: Vec<ListenUrl>,
    /// Set SO_REUSEPORT.
    pub reuse_port: bool,
    /// Set SO_REUSEADDR.
    pub reuse_address: bool,
}

/// How connections are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transport {
    /// Most concurrent requests of one connection.
    pub max_concurrent_streams: u32,
    /// A client may not ping more often.
    pub ping_min: Duration,
    /// An idle connection is pinged after this time; None = never.
    pub ping_every: Option<Duration>,
    /// A ping that is not answered in this time ends the connection.
    pub ping_timeout: Duration,
}

/// HTTP that is not gRPC.
#[derive(Clone, Debug)]
pub struct Http {
    /// Serve JSON.
    pub gateway: bool,
    /// Origins that browsers may call from; empty = all.
    pub cors: Vec<String>,
    /// Hosts that plain requests may name; empty = all.
    pub hosts: Vec<String>,
}

/// Limits of the etcd interface.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most operations in one list of a transaction.
    pub max_txn_ops: usize,
    /// Largest write request, encoded, in bytes.
    pub max_request_bytes: usize,
}

impl Config {
    /// Validates the values.
    ///
    /// # Errors
    /// The first flag that makes no sense, by its name.
    pub fn new(mut values: Values) -> Result<Config, ConfigError> {
        if let Some(flag) = values.given_of(Class::Refused).into_iter().find(|flag| values.filled(flag).is_some()) {
            return Err(ConfigError::Refused(flag));
        }
        let name = values.filled("name").ok_or(ConfigError::NoName)?.to_owned();
        let listen = listen(&values)?;
        let tls = TlsSettings::parse(&mut values)?;
        certified(&listen, &tls, &mut values)?;
        note_without_effect(&mut values)?;
        let path = |name| values.filled(name).map(PathBuf::from);
        Ok(Config {
            data_dir: path("data-dir").unwrap_or_else(|| PathBuf::from(format!("{name}.etcd"))),
            name,
            advertise_client: advertised(&values)?,
            advertise_peer: dialled(&values, "initial-advertise-peer-urls")?,
            listen,
            tls,
            transport: transport(&values),
            http: http(&values),
            link_listen: LinkListen::parse(values.filled("link-listen-url"))?,
            link_advertise: values.filled("link-advertise-address").map(str::to_owned),
            admin_socket: path("admin-socket"),
            kubernetes_prefix: values.text("kubernetes-prefix").to_owned(),
            value_cache_bytes: values.number("value-cache-bytes"),
            scrub_bytes_per_second: values.number("scrub-bytes-per-second"),
            min_lease_ttl_s: min_lease_ttl_s(values.number("heartbeat-interval"), values.number("election-timeout"))?,
            quota_bytes: quota_bytes(values.number("quota-backend-bytes")),
            limits: Limits {
                max_txn_ops: values.number("max-txn-ops"),
                max_request_bytes: values.number("max-request-bytes"),
            },
            auth: AuthSettings::parse(
                values.text("auth-token"),
                values.number("auth-token-ttl"),
                values.number("bcrypt-cost"),
            )?,
            auto_compaction: AutoCompaction::parse(&values)?,
            progress_notify: progress_notify(values.duration("watch-progress-notify-interval")),
            fsync: !values.switch("unsafe-no-fsync"),
            log: LogSettings::parse(&values)?,
            metrics: MetricsSettings {
                extensive: values.text("metrics") == "extensive",
                slow_request: values.duration("warning-unary-request-duration"),
            },
            notes: values.take_notes(),
        })
    }
}

fn listen(values: &Values) -> Result<Listen, ConfigError> {
    let urls = |flag| ListenUrl::parse_list(values.text(flag)).map_err(|source| ConfigError::Url { flag, source });
    urls("listen-peer-urls")?;
    let client = urls("listen-client-urls")?;
    if client.is_empty() {
        return Err(ConfigError::NoUrl { flag: "listen-client-urls" });
    }
    Ok(Listen {
        client,
        http: urls("listen-client-http-urls")?,
        metrics: urls("listen-metrics-urls")?,
        reuse_port: values.switch("socket-reuse-port"),
        reuse_address: values.switch("socket-reuse-address"),
    })
}

/// An https address needs a certificate; at a plain one, a certificate does nothing, which is said.
fn certified(listen: &Listen, tls: &TlsSettings, values: &mut Values) -> Result<(), ConfigError> {
    for url in listen.client.iter().chain(&listen.http).chain(&listen.metrics).filter(|url| url.secure) {
        if tls.certificate.is_none() {
            return Err(ConfigError::NoCertificate { url: url.to_string() });
        }
    }
    for url in listen.client.iter().chain(&listen.http).filter(|url| !url.secure) {
        if tls.certificate.is_some() {
            values.note(&url.to_string(), "this address is not https or unixs: key and certificate are ignored for it");
        }
        if tls.client_cert_auth {
            values.note(&url.to_string(), "this address is not https or unixs: --client-cert-auth is ignored for it");
        }
    }
    Ok(())
}

fn advertised(values: &Values) -> Result<Vec<String>, ConfigError> {
    if values.is_given("listen-client-urls") && !values.is_given("advertise-client-urls") {
        return Err(ConfigError::NoAdvertised);
    }
    dialled(values, "advertise-client-urls")
}

fn dialled(values: &Values, flag: &'static str) -> Result<Vec<String>, ConfigError> {
    urls::dialled(values.text(flag)).map_err(|source| ConfigError::Url { flag, source })
}

/// What was given and does nothing is said, all in one line.
fn note_without_effect(values: &mut Values) -> Result<(), ConfigError> {
    let flags = values.given_of(Class::NoEffect);
    if !flags.is_empty() {
        let text = "these flags of etcd have no effect: a site is one member and keeps its own storage";
        values.note(&flags.join(" "), text);
    }
    let gates = feature_gates::read(&values.feature_gates())?;
    if !gates.is_empty() {
        values.note(&gates.join(" "), "these feature gates of etcd have no effect");
    }
    if values.text("name") == "default" {
        values.note("name", "it isn't recommended to use default name, please set a value for --name");
    }
    if !values.is_given("data-dir") {
        values.note("data-dir", "'data-dir' was empty; using default");
    }
    Ok(())
}

fn transport(values: &Values) -> Transport {
    Transport {
        max_concurrent_streams: values.number("max-concurrent-streams"),
        ping_min: values.duration("grpc-keepalive-min-time"),
        ping_every: Some(values.duration("grpc-keepalive-interval")).filter(|every| !every.is_zero()),
        ping_timeout: values.duration("grpc-keepalive-timeout"),
    }
}

fn http(values: &Values) -> Http {
    let unless_all = |name| {
        let list = values.list(name);
        if list.iter().any(|item| item == "*") { Vec::new() } else { list }
    };
    Http {
        gateway: values.switch("enable-grpc-gateway"),
        cors: unless_all("cors"),
        hosts: unless_all("host-whitelist"),
    }
}

/// etcd: one and a half election timeouts, counted in heartbeats, in whole seconds, rounded up
/// (server/etcdserver/server.go).
fn min_lease_ttl_s(heartbeat_ms: u64, election_ms: u64) -> Result<i64, ConfigError> {
    let zero = |flag| Err(ConfigError::ZeroTimeout { flag });
    if heartbeat_ms == 0 {
        return zero("heartbeat-interval");
    }
    if election_ms == 0 {
        return zero("election-timeout");
    }
    if heartbeat_ms.saturating_mul(HEARTBEATS_MIN) > election_ms {
        return Err(ConfigError::Heartbeat { election_ms, heartbeat_ms });
    }
    if election_ms > ELECTION_MS_MAX {
        return Err(ConfigError::Election { election_ms, most_ms: ELECTION_MS_MAX });
    }
    let election_ticks = election_ms / heartbeat_ms;
    let shortest_ms = election_ticks * 3 / 2 * heartbeat_ms;
    Ok(i64::try_from(shortest_ms.div_ceil(1000)).expect("invariant: the election timeout is bounded"))
}

fn quota_bytes(flag: i64) -> Option<u64> {
    match u64::try_from(flag) {
        Ok(0) => Some(DEFAULT_QUOTA_BYTES),
        Ok(bytes) => Some(bytes),
        Err(_) => None,
    }
}

fn progress_notify(flag: Duration) -> Duration {
    if flag.is_zero() { DEFAULT_PROGRESS_NOTIFY } else { flag.max(MIN_PROGRESS_NOTIFY) }
}

#[cfg(test)]
mod tests;
