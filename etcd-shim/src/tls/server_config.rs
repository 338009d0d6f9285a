//! From files to what rustls serves with.

use super::{
    TlsError,
    certificate::{self, Facts},
    clients::Clients,
    suites,
};
use crate::config::{TlsSettings, TlsVersions};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

/// What a client may ask for: HTTP/2, which gRPC needs, or HTTP/1.1.
const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];

/// The files of one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) trusted_ca: Option<PathBuf>,
    pub(super) crl: Option<PathBuf>,
}

impl Files {
    /// All of them.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        let optional = [self.trusted_ca.as_deref(), self.crl.as_deref()].into_iter().flatten();
        [self.certificate.as_path(), self.key.as_path()].into_iter().chain(optional)
    }
}

/// Reads the files and checks that they belong together.
///
/// # Errors
/// The first that cannot be served.
pub(super) fn load(files: &Files, settings: &TlsSettings) -> Result<(Arc<ServerConfig>, Facts), TlsError> {
    let provider = Arc::new(suites::provider(&settings.cipher_suites)?);
    let chain = certificates(&files.certificate)?;
    let key_pem = read(&files.key)?;
    let key = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| TlsError::Content {
        path: files.key.clone(),
        what: "private key in PEM form",
        reason: error.to_string(),
    })?;
    let leaf = chain.first().expect("invariant: a certificate file holds at least one");
    let server_not_after_s = certificate::not_after_s(leaf).map_err(|reason| TlsError::Content {
        path: files.certificate.clone(),
        what: "certificate",
        reason,
    })?;
    let clients = files.trusted_ca.as_deref().map(|path| clients(path, files, settings, &provider)).transpose()?;
    let client_ca_not_after_s = clients.as_ref().map(|(_, not_after_s)| *not_after_s);
    let versions: &[&SupportedProtocolVersion] = match settings.versions {
        TlsVersions::Both => &[&TLS12, &TLS13],
        TlsVersions::Only12 => &[&TLS12],
        TlsVersions::Only13 => &[&TLS13],
    };
    let builder =
        ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).map_err(TlsError::Versions)?;
    let builder = match clients {
        Some((verifier, _)) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key).map_err(|reason| TlsError::Pair {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        reason,
    })?;
    config.alpn_protocols = ALPN.iter().map(|protocol| protocol.to_vec()).collect();
    Ok((Arc::new(config), Facts { server_not_after_s, client_ca_not_after_s }))
}

/// The verifier of client certificates, and when the first of its CAs ends.
fn clients(
    path: &Path,
    files: &Files,
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ClientCertVerifier>, i64), TlsError> {
    let refused = |reason: String| TlsError::ClientCas { path: path.to_owned(), reason };
    let mut roots = RootCertStore::empty();
    let mut first_end_s = i64::MAX;
    for ca in certificates(path)? {
        first_end_s = first_end_s.min(certificate::not_after_s(&ca).map_err(refused)?);
        roots.add(ca).map_err(|error| refused(error.to_string()))?;
    }
    let chain = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| refused(error.to_string()))?;
    let revoked = match &files.crl {
        Some(path) => revoked(path)?.into_iter().collect(),
        None => Default::default(),
    };
    let hostnames = settings
        .allowed_hostnames
        .iter()
        .map(|name| ServerName::try_from(name.clone()).map_err(|_| TlsError::Hostname(name.clone())));
    let hostnames = hostnames.collect::<Result<_, _>>()?;
    Ok((Arc::new(Clients { chain, revoked, hostnames, names: settings.allowed_names.clone() }), first_end_s))
}

/// The certificates of a PEM file, at least one.
fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refused = |reason: String| TlsError::Content { path: path.to_owned(), what: "certificate in PEM form", reason };
    let pem = read(path)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| refused(error.to_string()))?;
    if certificates.is_empty() { Err(refused("nothing was found".to_owned())) } else { Ok(certificates) }
}

/// The revoked serial numbers of a file, PEM or DER.
fn revoked(path: &Path) -> Result<Vec<Vec<u8>>, TlsError> {
    let content = read(path)?;
    let lists: Vec<Vec<u8>> = CertificateRevocationListDer::pem_slice_iter(&content)
        .filter_map(Result::ok)
        .map(|list| list.as_ref().to_vec())
        .collect();
    let lists = if lists.is_empty() { vec![content] } else { lists };
    let mut serials = Vec::new();
    for list in lists {
        serials.extend(certificate::revoked(&list).map_err(|reason| TlsError::Content {
            path: path.to_owned(),
            what: "certificate revocation list",
            reason,
        })?);
    }
    Ok(serials)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|reason| TlsError::File { path: path.to_owned(), reason })
}
