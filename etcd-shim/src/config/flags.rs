//! The flags that have an effect, with etcd's names, environment variables and defaults
//! (etcd server/embed/config.go and server/etcdmain/config.go).

use clap::{ArgAction, Args};
use std::{ffi::OsString, path::PathBuf};

/// Flags of serving. A flag wins over its environment variable, `ETCD_` and its name in capitals.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct Flags {
    /// Name of this site (etcd: of this member).
    #[arg(long, env = "ETCD_NAME", default_value = "default")]
    pub name: String,
    /// Where the site's data live; default: NAME.etcd.
    #[arg(long, env = "ETCD_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where clients are served: http://HOST:PORT or unix://PATH, separated by commas.
    #[arg(long, env = "ETCD_LISTEN_CLIENT_URLS", default_value = "http://localhost:2379")]
    pub listen_client_urls: String,
    /// What clients are told to dial; default: the listening ones.
    #[arg(long, env = "ETCD_ADVERTISE_CLIENT_URLS")]
    pub advertise_client_urls: Option<String>,
    /// What other members would dial, if a site had any; member lists show it.
    #[arg(long, env = "ETCD_INITIAL_ADVERTISE_PEER_URLS", default_value = "http://localhost:2380")]
    pub initial_advertise_peer_urls: String,
    /// More addresses for /metrics, /health, /livez and /readyz.
    #[arg(long, env = "ETCD_LISTEN_METRICS_URLS")]
    pub listen_metrics_urls: Option<String>,
    /// Where the links of peers are accepted: https://IP:PORT, or none. Default: https://127.0.0.1:2382 if it is free.
    #[arg(long, env = "ARCHIPEL_LINK_LISTEN_URL", value_name = "URL")]
    pub link_listen_url: Option<String>,
    /// Where peers are told to dial this site, or none; default: where it listens.
    #[arg(long, env = "ARCHIPEL_LINK_ADVERTISE_ADDRESS", value_name = "HOST:PORT")]
    pub link_advertise_address: Option<String>,
    /// The socket of the admin API; default: admin.sock in the data directory.
    #[arg(long, env = "ARCHIPEL_ADMIN_SOCKET", value_name = "PATH")]
    pub admin_socket: Option<PathBuf>,
    /// Prefix of Kubernetes' keys, as kube-apiserver's --etcd-prefix.
    #[arg(long, env = "ARCHIPEL_KUBERNETES_PREFIX", default_value = "/registry")]
    pub kubernetes_prefix: String,
    /// Election timeout in milliseconds; the shortest lease is one and a half of it.
    #[arg(long, env = "ETCD_ELECTION_TIMEOUT", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=50_000))]
    pub election_timeout: u64,
    /// Bytes after which writes are refused: 0 = 2 GiB, negative = never.
    #[arg(long, env = "ETCD_QUOTA_BACKEND_BYTES", default_value_t = 0, allow_negative_numbers = true)]
    pub quota_backend_bytes: i64,
    /// periodic or revision: what --auto-compaction-retention counts.
    #[arg(long, env = "ETCD_AUTO_COMPACTION_MODE", default_value = "periodic")]
    pub auto_compaction_mode: String,
    /// History that is kept: hours or a duration (periodic), or revisions (revision); 0 = all of it.
    #[arg(long, env = "ETCD_AUTO_COMPACTION_RETENTION", default_value = "0", allow_hyphen_values = true)]
    pub auto_compaction_retention: String,
    /// Serve the API as JSON at /v3/.
    #[arg(long, env = "ETCD_ENABLE_GRPC_GATEWAY", num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true", action = ArgAction::Set)]
    pub enable_grpc_gateway: bool,
    /// Most operations in one list of a transaction.
    #[arg(long, env = "ETCD_MAX_TXN_OPS", default_value_t = 128)]
    pub max_txn_ops: u32,
    /// Largest write request in bytes.
    #[arg(long, env = "ETCD_MAX_REQUEST_BYTES", default_value_t = 1_572_864)]
    pub max_request_bytes: u32,
    /// Most concurrent requests of one connection.
    #[arg(long, env = "ETCD_MAX_CONCURRENT_STREAMS", default_value_t = u32::MAX)]
    pub max_concurrent_streams: u32,
    /// How often an idle watcher that asked for it is told the revision (5s, 10m …); 0 = 10 minutes.
    #[arg(long, env = "ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL", default_value = "0s", value_parser = super::settings::parse_duration)]
    pub watch_progress_notify_interval: std::time::Duration,
    /// simple, or jwt,priv-key=FILE,pub-key=FILE,sign-method=RS256,ttl=5m.
    #[arg(long, env = "ETCD_AUTH_TOKEN", default_value = "simple")]
    pub auth_token: String,
    /// Seconds that a simple token lives without being used.
    #[arg(long, env = "ETCD_AUTH_TOKEN_TTL", default_value_t = 300)]
    pub auth_token_ttl: u32,
    /// Work of hashing a password, 4 to 31; each step doubles it.
    #[arg(long, env = "ETCD_BCRYPT_COST", default_value_t = 10)]
    pub bcrypt_cost: u32,
    /// Answer before the disk has the data. A power cut then loses what was answered; for tests only.
    #[arg(long, env = "ETCD_UNSAFE_NO_FSYNC", num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true", action = ArgAction::Set)]
    pub unsafe_no_fsync: bool,
    /// debug, info, warn, error, panic or fatal; or a filter such as archipel=debug,info.
    #[arg(long, env = "ETCD_LOG_LEVEL", default_value = "info")]
    pub log_level: String,
    /// json or console.
    #[arg(long, env = "ETCD_LOG_FORMAT", default_value = "json")]
    pub log_format: String,
    /// Print the versions and exit.
    #[arg(long, action = ArgAction::SetTrue)]
    pub version: bool,
}

/// Rewrites `-flag` to `--flag`, as Go's flag package takes both. One-letter flags of subcommands stay.
#[must_use]
pub fn etcd_style(words: Vec<OsString>) -> Vec<OsString> {
    let serves = words.get(1).and_then(|word| word.to_str()).is_none_or(|word| word.starts_with('-'));
    if !serves {
        return words;
    }
    words.into_iter().map(two_dashes).collect()
}

fn two_dashes(word: OsString) -> OsString {
    match word.to_str() {
        Some(text) if is_long_flag_with_one_dash(text) => OsString::from(format!("-{text}")),
        _ => word,
    }
}

fn is_long_flag_with_one_dash(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next() == Some('-')
        && letters.next().is_some_and(|letter| letter.is_ascii_lowercase())
        && letters.next().is_some()
}
