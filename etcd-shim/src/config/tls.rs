//! The flags of TLS on the client listeners.

use super::{ConfigError, Values};
use std::path::PathBuf;

/// TLS of the client listeners, and of the metrics listeners that are https.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// Where the certificate comes from; None = nothing can be served with TLS.
    pub certificate: Option<CertificateSource>,
    /// CAs of client certificates; with them, or with `client_cert_auth`, a client must show one.
    pub trusted_ca: Option<PathBuf>,
    /// A client must show a certificate.
    pub client_cert_auth: bool,
    /// Revoked client certificates.
    pub crl: Option<PathBuf>,
    /// Hosts that a client certificate must be for one of; empty = any.
    pub allowed_hostnames: Vec<String>,
    /// Common names that a client certificate must have one of; empty = any.
    pub allowed_names: Vec<String>,
    /// Versions.
    pub versions: TlsVersions,
    /// Suites of TLS 1.2 by their names in Go; empty = all.
    pub cipher_suites: Vec<String>,
}

/// Where a certificate comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CertificateSource {
    /// Two files.
    Files {
        /// Certificate and chain, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
    /// Made at the first start and kept in the data directory.
    Made {
        /// Years that it is valid.
        years: u64,
    },
}

/// The versions of TLS that are spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    Both,
    /// 1.2 only.
    Only12,
    /// 1.3 only.
    Only13,
}

impl TlsSettings {
    /// From the flags.
    ///
    /// # Errors
    /// Flags that contradict each other.
    pub(super) fn parse(values: &mut Values) -> Result<TlsSettings, ConfigError> {
        let path = |name| values.filled(name).map(PathBuf::from);
        let files = match (path("cert-file"), path("key-file")) {
            (Some(certificate), Some(key)) => Some(CertificateSource::Files { certificate, key }),
            (None, None) => None,
            _ => return Err(ConfigError::CertificateWithoutKey),
        };
        let allowed_hostnames = values.list("client-cert-allowed-hostname");
        let allowed_names = values.list("client-cert-allowed-cn");
        if !allowed_hostnames.is_empty() && !allowed_names.is_empty() {
            return Err(ConfigError::AllowedTwice);
        }
        let (oldest, newest) = (values.text("tls-min-version"), values.text("tls-max-version"));
        let versions = match (oldest, newest) {
            ("TLS1.3", "TLS1.2") => return Err(ConfigError::TlsVersions),
            ("TLS1.3", _) => TlsVersions::Only13,
            (_, "TLS1.2") => TlsVersions::Only12,
            _ => TlsVersions::Both,
        };
        let cipher_suites = values.list("cipher-suites");
        if versions == TlsVersions::Only13 && !cipher_suites.is_empty() {
            return Err(ConfigError::CipherSuitesOf13);
        }
        let made = values.switch("auto-tls") && files.is_none();
        // etcd's own certificate is for servers only: who lets it make one gets no client authentication
        // (server/embed/config.go, `ClientSelfCert`).
        let mut settings = TlsSettings {
            certificate: files,
            trusted_ca: path("trusted-ca-file"),
            client_cert_auth: values.switch("client-cert-auth"),
            crl: path("client-crl-file"),
            allowed_hostnames,
            allowed_names,
            versions,
            cipher_suites,
        };
        if made {
            settings.certificate = Some(CertificateSource::Made { years: values.number("self-signed-cert-validity") });
            if settings.asks_for_certificates() {
                return Err(ConfigError::MadeAndAsked);
            }
        } else if values.switch("auto-tls") {
            values.note("auto-tls", "ignored: --cert-file and --key-file are given");
        }
        if settings.client_cert_auth && settings.trusted_ca.is_none() && settings.certificate.is_some() {
            return Err(ConfigError::NoTrustedCa);
        }
        Ok(settings)
    }

    /// Must a client show a certificate?
    #[must_use]
    pub fn asks_for_certificates(&self) -> bool {
        self.client_cert_auth || self.trusted_ca.is_some()
    }
}
