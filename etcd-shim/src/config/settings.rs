//! From flags to a configuration that can be acted on: everything is validated here, before anything is opened.

use super::{AutoCompaction, Flags, LinkListen, ListenUrl, UrlError};
use crate::etcd::auth::{AuthSettings, AuthSettingsError};
use std::{path::PathBuf, time::Duration};
use thiserror::Error;

/// etcd's default quota: 2 GiB (server/storage/quota.go).
const DEFAULT_QUOTA_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// etcd's default interval of progress notifications.
const DEFAULT_PROGRESS_NOTIFY: Duration = Duration::from_secs(600);
/// A shorter interval is raised to this (etcd server/embed/config.go).
const MIN_PROGRESS_NOTIFY: Duration = Duration::from_millis(100);

/// A configuration that makes sense.
#[derive(Clone, Debug)]
pub struct Config {
    /// The site's name.
    pub name: String,
    /// Where its data live.
    pub data_dir: PathBuf,
    /// Where clients are served.
    pub listen_client: Vec<ListenUrl>,
    /// What clients are told to dial.
    pub advertise_client: Vec<String>,
    /// The peer URLs that member lists show.
    pub advertise_peer: Vec<String>,
    /// More addresses for health and metrics.
    pub listen_metrics: Vec<ListenUrl>,
    /// Where the links of peers are accepted.
    pub link_listen: LinkListen,
    /// Where peers are told to dial, if not where this site listens.
    pub link_advertise: Option<String>,
    /// The socket of the admin API, if not the one in the data directory.
    pub admin_socket: Option<PathBuf>,
    /// Prefix of Kubernetes' keys.
    pub kubernetes_prefix: String,
    /// The shortest lease, in seconds.
    pub min_lease_ttl_s: i64,
    /// Bytes after which writes are refused; None = never.
    pub quota_bytes: Option<u64>,
    /// History that is kept without anybody compacting.
    pub auto_compaction: AutoCompaction,
    /// Serve the API as JSON.
    pub gateway: bool,
    /// Limits of the etcd interface.
    pub limits: Limits,
    /// Interval of periodic progress notifications of watchers that asked for them.
    pub progress_notify: Duration,
    /// How tokens are made and passwords are hashed.
    pub auth: AuthSettings,
    /// Sync before acknowledging.
    pub fsync: bool,
    /// Log filter.
    pub log_level: String,
    /// Log lines as JSON objects, as etcd writes them.
    pub log_json: bool,
    /// Flags of etcd that were given and have no effect here.
    pub without_effect: Vec<String>,
}

/// Limits of the etcd interface.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most operations in one list of a transaction.
    pub max_txn_ops: usize,
    /// Largest write request, encoded, in bytes.
    pub max_request_bytes: usize,
    /// Most concurrent requests of one connection.
    pub max_concurrent_streams: u32,
}

/// A flag whose value makes no sense.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// An address.
    #[error("--{flag}: {source}")]
    Url {
        /// The flag.
        flag: &'static str,
        /// What is wrong.
        source: UrlError,
    },
    /// No address at all.
    #[error("--{flag} is empty: give at least one address, for example http://127.0.0.1:2379")]
    NoUrl {
        /// The flag.
        flag: &'static str,
    },
    /// The link listener's address.
    #[error("--link-listen-url is {0:?}: write https://IP:PORT, for example https://0.0.0.0:2382, or none")]
    LinkListen(String),
    /// Auto compaction's mode.
    #[error("--auto-compaction-mode is {0:?}: use periodic or revision")]
    CompactionMode(String),
    /// Auto compaction's retention.
    #[error("--auto-compaction-retention is {0:?}: write hours or a duration such as 5m, or a number of revisions")]
    CompactionRetention(String),
    /// Tokens.
    #[error(transparent)]
    Auth(#[from] AuthSettingsError),
    /// Log format.
    #[error("--log-format is {0:?}: use json or console")]
    LogFormat(String),
    /// The site's name.
    #[error("--name is empty: a site needs a name that its peers know it by")]
    NoName,
}

impl Config {
    /// Validates the flags.
    ///
    /// # Errors
    /// The first flag that makes no sense, by its name.
    pub fn from_flags(flags: Flags) -> Result<Config, ConfigError> {
        if flags.name.is_empty() {
            return Err(ConfigError::NoName);
        }
        let listen_client = urls("listen-client-urls", &flags.listen_client_urls)?;
        if listen_client.is_empty() {
            return Err(ConfigError::NoUrl { flag: "listen-client-urls" });
        }
        let advertise = flags.advertise_client_urls.unwrap_or_else(|| flags.listen_client_urls.clone());
        let log_json = match flags.log_format.as_str() {
            "json" => true,
            "console" => false,
            other => return Err(ConfigError::LogFormat(other.to_owned())),
        };
        Ok(Config {
            data_dir: flags.data_dir.unwrap_or_else(|| PathBuf::from(format!("{}.etcd", flags.name))),
            name: flags.name,
            listen_client,
            advertise_client: list(&advertise),
            advertise_peer: list(&flags.initial_advertise_peer_urls),
            listen_metrics: urls("listen-metrics-urls", flags.listen_metrics_urls.as_deref().unwrap_or(""))?,
            link_listen: LinkListen::parse(flags.link_listen_url.as_deref())?,
            link_advertise: flags.link_advertise_address,
            admin_socket: flags.admin_socket,
            kubernetes_prefix: flags.kubernetes_prefix,
            min_lease_ttl_s: min_lease_ttl_s(flags.election_timeout),
            quota_bytes: quota_bytes(flags.quota_backend_bytes),
            auto_compaction: AutoCompaction::parse(&flags.auto_compaction_mode, &flags.auto_compaction_retention)?,
            gateway: flags.enable_grpc_gateway,
            limits: Limits {
                max_txn_ops: flags.max_txn_ops as usize,
                max_request_bytes: flags.max_request_bytes as usize,
                max_concurrent_streams: flags.max_concurrent_streams,
            },
            progress_notify: progress_notify(flags.watch_progress_notify_interval),
            auth: AuthSettings::parse(&flags.auth_token, flags.auth_token_ttl, flags.bcrypt_cost)?,
            fsync: !flags.unsafe_no_fsync,
            log_level: flags.log_level,
            log_json,
            without_effect: Vec::new(),
        })
    }
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|url| url.trim().to_owned()).collect()
}

fn urls(flag: &'static str, text: &str) -> Result<Vec<ListenUrl>, ConfigError> {
    ListenUrl::parse_list(text).map_err(|source| ConfigError::Url { flag, source })
}

/// etcd: one and a half election timeouts, in whole seconds, rounded up (server/etcdserver/server.go).
fn min_lease_ttl_s(election_timeout_ms: u64) -> i64 {
    i64::try_from((election_timeout_ms * 3).div_ceil(2000)).unwrap_or(i64::MAX)
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

/// Parses a duration as Go writes it: `10m`, `1h30m`, `500ms`, `1.5s`, `0`.
///
/// # Errors
/// A sentence that says how to write one.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is not a duration: write 500ms, 5s, 10m or 1h30m");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text;
    let mut total_s = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').ok_or_else(refused)?;
        let (number, tail) = rest.split_at(digits);
        let unit_length = tail.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, next) = tail.split_at(unit_length);
        let unit_s = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(refused()),
        };
        total_s += number.parse::<f64>().map_err(|_| refused())? * unit_s;
        rest = next;
    }
    if text.is_empty() {
        return Err(refused());
    }
    Duration::try_from_secs_f64(total_s).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        let parsed = |text| parse_duration(text).ok().map(|duration| duration.as_millis());
        assert_eq!(parsed("5s"), Some(5000));
        assert_eq!(parsed("1h30m"), Some(5_400_000));
        assert_eq!(parsed("500ms"), Some(500));
        assert_eq!(parsed("1.5s"), Some(1500));
        assert_eq!(parsed("0"), Some(0));
        for wrong in ["", "5", "s", "5 s", "5x", "-5s"] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_shortest_lease_follows_the_election_timeout() {
        assert_eq!(min_lease_ttl_s(1000), 2);
        assert_eq!(min_lease_ttl_s(100), 1);
        assert_eq!(min_lease_ttl_s(2000), 3);
    }

    #[test]
    fn the_quota_is_etcds() {
        assert_eq!(quota_bytes(0), Some(2 << 30));
        assert_eq!(quota_bytes(-1), None);
        assert_eq!(quota_bytes(5), Some(5));
    }
}
