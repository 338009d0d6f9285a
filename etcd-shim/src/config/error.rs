//! What can be wrong with a configuration whose values are readable.

use super::{UrlError, feature_gates::GateError};
use crate::etcd::auth::AuthSettingsError;
use thiserror::Error;

/// A flag whose value makes no sense. The process prints it and exits with status 1.
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
    /// Clients would be told to dial the default.
    #[error("--advertise-client-urls is required when --listen-client-urls is set explicitly")]
    NoAdvertised,
    /// An address that needs a certificate.
    #[error("TLS key/cert (--cert-file, --key-file) must be provided for {url}, or --auto-tls")]
    NoCertificate {
        /// The address.
        url: String,
    },
    /// The link listener's address.
    #[error("--link-listen-url is {0:?}: write https://IP:PORT, for example https://0.0.0.0:2382, or none")]
    LinkListen(String),
    /// Log level.
    #[error("--log-level is {level:?}: use debug, info, warn, error, panic or fatal, or a filter ({reason})")]
    LogLevel {
        /// The level.
        level: String,
        /// Why it is no filter.
        reason: String,
    },
    /// Log outputs.
    #[error("multi logoutput for \"default\" is not supported yet: name stderr in --log-outputs")]
    LogOutputs,
    /// The site's name.
    #[error("--name is empty: a site needs a name that its peers know it by")]
    NoName,
    /// A timeout of nothing.
    #[error("--{flag} must be >0 (set to 0ms)")]
    ZeroTimeout {
        /// The flag.
        flag: &'static str,
    },
    /// Two timeouts that do not fit.
    #[error(
        "--election-timeout[{election_ms}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat_ms}ms]"
    )]
    Heartbeat {
        /// The election timeout.
        election_ms: u64,
        /// The heartbeat interval.
        heartbeat_ms: u64,
    },
    /// A timeout that is too long.
    #[error("--election-timeout[{election_ms}ms] is too long, and should be set less than {most_ms}ms")]
    Election {
        /// The election timeout.
        election_ms: u64,
        /// The longest.
        most_ms: u64,
    },
    /// Retention of history.
    #[error(
        "--auto-compaction-retention is {0:?}: give revisions in mode revision, else hours or a duration such as 90m"
    )]
    Retention(String),
    /// A certificate or a key alone.
    #[error("--cert-file and --key-file must both be given, or neither")]
    CertificateWithoutKey,
    /// Two rules for client certificates.
    #[error("allowed common names and allowed host names of client certificates exclude each other: give one of them")]
    AllowedTwice,
    /// The order of versions.
    #[error("min version (TLS1.3) is greater than max version (TLS1.2)")]
    TlsVersions,
    /// Suites of TLS 1.3.
    #[error("cipher suites cannot be configured when only TLS1.3 is enabled")]
    CipherSuitesOf13,
    /// A certificate that is made, and client authentication.
    #[error(
        "--auto-tls cannot verify clients: give --cert-file and --key-file with --client-cert-auth or --trusted-ca-file"
    )]
    MadeAndAsked,
    /// Client authentication without CAs.
    #[error("--client-cert-auth needs --trusted-ca-file, the CAs that clients' certificates come from")]
    NoTrustedCa,
    /// A gate.
    #[error("--feature-gates: {0}")]
    Gate(#[from] GateError),
    /// Tokens.
    #[error(transparent)]
    Auth(#[from] AuthSettingsError),
    /// Cluster discovery.
    #[error("--{0} is not supported: a site is one member and has no cluster to discover")]
    Refused(&'static str),
}
