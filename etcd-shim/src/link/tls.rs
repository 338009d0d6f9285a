//! TLS between sites: version 1.3, both sides with a certificate, trust by pinned CA and nothing else.
//!
//! A site presents its certificate and its CA. The other side hashes the CA, looks the hash up among its pins, checks the
//! certificate against that CA, and takes the site id from the certificate's URI. Host names play no part: sites are
//! reached through proxies and under addresses that change.
//!
//! The server name that a client asks for says what it comes for: [`LINK_NAME`] for a session, which only pinned sites get,
//! or [`PAIRING_NAME`] for pairing, where any site may show its certificate while an invitation is open. A connection for
//! pairing serves nothing else.

use crate::peer::{Fingerprint, Identity, PeerBook, site_of_uri};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, SignatureScheme,
};
use std::sync::Arc;
use uuid::Uuid;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Server name of a session.
pub const LINK_NAME: &str = "link.archipel";
/// Server name of pairing.
pub const PAIRING_NAME: &str = "pairing.archipel";
/// Both speak HTTP/2.
const ALPN: &[u8] = b"h2";

/// Who a certificate chain proves its holder to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proven {
    /// The site that the certificate names.
    pub site_id: Uuid,
    /// The CA that vouches for it.
    pub fingerprint: Fingerprint,
}

/// Checks a chain for itself: certificate, CA, and which site they name. Whether that site is trusted is not asked here.
///
/// # Errors
/// The chain is not exactly certificate and CA, the signature or the times are wrong, or it names no site.
pub fn prove(
    certificate: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    now: UnixTime,
    usage: KeyUsage,
) -> Result<Proven, Error> {
    let [ca] = chain else { return Err(CertificateError::UnknownIssuer.into()) };
    let bad = |e: webpki::Error| match e {
        webpki::Error::CertExpired { .. } => Error::from(CertificateError::Expired),
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet.into(),
        _ => CertificateError::BadEncoding.into(),
    };
    let anchor = anchor_from_trusted_cert(ca).map_err(bad)?;
    let leaf = EndEntityCert::try_from(certificate).map_err(bad)?;
    let algorithms = provider().signature_verification_algorithms;
    leaf.verify_for_usage(algorithms.all, &[anchor], &[], now, usage, None, None).map_err(|e| match e {
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer.into(),
        other => bad(other),
    })?;
    let mut uris = leaf.valid_uri_names();
    match (uris.next().and_then(site_of_uri), uris.next()) {
        (Some(site_id), None) => Ok(Proven { site_id, fingerprint: Fingerprint::of(ca) }),
        _ => Err(CertificateError::NotValidForName.into()),
    }
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// What a listener does with a connection.
#[derive(Clone, Debug)]
pub struct ServerTls {
    /// For [`LINK_NAME`].
    pub link: Arc<ServerConfig>,
    /// For [`PAIRING_NAME`].
    pub pairing: Arc<ServerConfig>,
}

impl ServerTls {
    /// The configurations of the site `identity` with the peers of `book`.
    ///
    /// # Errors
    /// TLS 1.3 is not available in the provider.
    pub fn new(identity: &Identity, book: &PeerBook) -> Result<Self, Error> {
        let link = server_config(identity, Arc::new(PinnedClients { book: book.clone() }))?;
        let pairing = server_config(identity, Arc::new(AnySite))?;
        Ok(Self { link, pairing })
    }
}

fn server_config(identity: &Identity, verifier: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(single(&identity.certified));
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would skip the look at the pins.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(Arc::new(config))
}

/// How `identity` dials the site that `expected` describes.
///
/// # Errors
/// TLS 1.3 is not available in the provider.
pub fn client_config(identity: &Identity, expected: Proven) -> Result<Arc<ClientConfig>, Error> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedServer { expected }))
        .with_client_cert_resolver(single(&identity.certified));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

fn single(certified: &Arc<CertifiedKey>) -> Arc<SingleCertAndKey> {
    Arc::new(SingleCertAndKey::from(CertifiedKey::clone(certified)))
}

fn algorithms() -> WebPkiSupportedAlgorithms {
    provider().signature_verification_algorithms
}

/// Lets in the sites whose CA is pinned for the site id that they prove.
#[derive(Debug)]
struct PinnedClients {
    book: PeerBook,
}

/// Lets any site in that proves an id with its own CA.
#[derive(Debug)]
struct AnySite;

/// Accepts one site.
#[derive(Debug)]
struct PinnedServer {
    expected: Proven,
}

impl ClientCertVerifier for PinnedClients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let proven = prove(certificate, chain, now, KeyUsage::client_auth())?;
        match self.book.peer(proven.site_id) {
            Some(peer) if peer.fingerprint == proven.fingerprint => Ok(ClientCertVerified::assertion()),
            _ => Err(CertificateError::UnknownIssuer.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("links speak TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

impl ClientCertVerifier for AnySite {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        prove(certificate, chain, now, KeyUsage::client_auth()).map(|_| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("links speak TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let proven = prove(certificate, chain, now, KeyUsage::server_auth())?;
        if proven == self.expected {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("links speak TLS 1.3 only".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &algorithms())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        algorithms().supported_schemes()
    }
}
