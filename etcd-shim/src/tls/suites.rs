//! Cipher suites by the names that Go gives them (crypto/tls, `CipherSuites`).

use super::TlsError;
use rustls::{CipherSuite, ProtocolVersion};
use rustls::{
    SupportedCipherSuite,
    crypto::{CryptoProvider, ring},
};

/// Suites of TLS 1.2 that are served. Go knows more; those without forward secrecy or authenticated encryption are not
/// served by anything here.
const SERVED: &[(&str, CipherSuite)] = &[
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// The provider with these suites of TLS 1.2, all if none is named. As in Go, those of 1.3 are not chosen.
///
/// # Errors
/// A name that is not served.
pub(super) fn provider(names: &[String]) -> Result<CryptoProvider, TlsError> {
    let mut provider = ring::default_provider();
    let mut chosen = Vec::with_capacity(names.len());
    for name in names {
        let suite = SERVED.iter().find(|(known, _)| known == name).map(|(_, suite)| *suite);
        chosen.push(suite.ok_or_else(|| TlsError::Suite { name: name.clone(), served: served() })?);
    }
    let is_13 = |suite: &SupportedCipherSuite| suite.version().version == ProtocolVersion::TLSv1_3;
    if !chosen.is_empty() {
        provider.cipher_suites.retain(|suite| is_13(suite) || chosen.contains(&suite.suite()));
    }
    Ok(provider)
}

fn served() -> String {
    SERVED.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_suites_and_those_of_13_are_served() {
        let all = provider(&[]).unwrap().cipher_suites.len();
        let some = provider(&["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256".to_owned()]).unwrap().cipher_suites;
        assert_eq!(some.len(), 4);
        assert!(all > 4);
        let error = provider(&["TLS_RSA_WITH_RC4_128_SHA".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("unexpected TLS cipher suite \"TLS_RSA_WITH_RC4_128_SHA\""), "{error}");
    }
}
