//! Which client certificates are let in: those of the CAs, less the revoked ones, and of allowed names if there are any
//! (etcd client/pkg/transport/listener.go and listener_tls.go).

use super::certificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use std::{collections::BTreeSet, sync::Arc};
use webpki::EndEntityCert;

/// The verifier of a chain, with etcd's further rules.
#[derive(Debug)]
pub(super) struct Clients {
    /// Verifies the chain against the CAs.
    pub(super) chain: Arc<dyn ClientCertVerifier>,
    /// Serial numbers that are refused, wherever in the chain. As in etcd the list's own signature is not looked at: who
    /// can write the file decides.
    pub(super) revoked: BTreeSet<Vec<u8>>,
    /// Hosts that the certificate must be for one of; empty = any.
    pub(super) hostnames: Vec<ServerName<'static>>,
    /// Common names that it must have one of; empty = any.
    pub(super) names: Vec<String>,
}

impl Clients {
    fn is_revoked(&self, certificate: &CertificateDer<'_>) -> bool {
        // A certificate whose number cannot be read is not let past a list.
        !self.revoked.is_empty() && certificate::serial(certificate).is_none_or(|serial| self.revoked.contains(&serial))
    }

    fn has_allowed_name(&self, certificate: &CertificateDer<'_>) -> bool {
        let by_name = || certificate::common_name(certificate).is_some_and(|name| self.names.contains(&name));
        let is_for = |host: &ServerName<'static>| {
            EndEntityCert::try_from(certificate)
                .is_ok_and(|certificate| certificate.verify_is_valid_for_subject_name(host).is_ok())
        };
        (self.names.is_empty() || by_name()) && (self.hostnames.is_empty() || self.hostnames.iter().any(is_for))
    }
}

impl ClientCertVerifier for Clients {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(certificate, chain, now)?;
        if std::iter::once(certificate).chain(chain).any(|certificate| self.is_revoked(certificate)) {
            return Err(CertificateError::Revoked.into());
        }
        if !self.has_allowed_name(certificate) {
            return Err(CertificateError::NotValidForName.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}
