//! What can be wrong with certificates.

use std::{io, path::PathBuf};
use thiserror::Error;

/// Why TLS cannot be served as the flags say.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        reason: io::Error,
    },
    /// A file does not hold what its flag says.
    #[error("{path} holds no {what}: {reason}")]
    Content {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of no use.
    #[error("the certificate {certificate} and the key {key} cannot be served: {reason}")]
    Pair {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        reason: rustls::Error,
    },
    /// The CAs cannot verify anybody.
    #[error("the CAs of {path} cannot verify clients: {reason}")]
    ClientCas {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A cipher suite.
    #[error("unexpected TLS cipher suite {name:?}; served are {served}")]
    Suite {
        /// Its name.
        name: String,
        /// The names that are served.
        served: String,
    },
    /// A host name in a flag.
    #[error("--client-cert-allowed-hostname: {0:?} is no host name and no IP address")]
    Hostname(String),
    /// The versions and suites.
    #[error("TLS cannot be served with these versions and suites: {0}")]
    Versions(rustls::Error),
    /// A certificate could not be made.
    #[error("a certificate for --auto-tls could not be made: {0}")]
    Make(#[from] rcgen::Error),
}
