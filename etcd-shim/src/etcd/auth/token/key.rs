//! Keys that sign and verify tokens, by the method that `--auth-token` names (etcd: server/auth/options.go).

use super::{
    super::settings::JwtSettings,
    der::{self, Pem},
};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use std::{fmt, io, path::PathBuf};
use thiserror::Error;

/// A signing method of JSON Web Tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::etcd::auth) enum SignMethod {
    Rsa(&'static str),
    Ecdsa(&'static str),
    EdDsa,
    Hmac(&'static str),
}

/// Why a key cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Neither key is named.
    #[error("--auth-token=jwt needs priv-key, or pub-key if tokens are only verified here")]
    Missing,
    /// The file.
    #[error("--auth-token: the key {path:?} cannot be read: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the file holds.
    #[error("--auth-token: {path:?} holds no key for {method}: {reason}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The method.
        method: &'static str,
        /// Why.
        reason: String,
    },
    /// Two keys that do not belong together.
    #[error("--auth-token: pub-key is not the public key of priv-key")]
    Mismatch,
}

impl SignMethod {
    /// By its name. ES512 is missing: its curve is not supported.
    pub(in crate::etcd::auth) fn named(name: &str) -> Option<SignMethod> {
        const RSA: [&str; 6] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"];
        let of = |names: &[&'static str]| names.iter().copied().find(|known| *known == name);
        of(&RSA)
            .map(SignMethod::Rsa)
            .or_else(|| of(&["ES256", "ES384"]).map(SignMethod::Ecdsa))
            .or_else(|| of(&["EdDSA"]).map(|_| SignMethod::EdDsa))
            .or_else(|| of(&["HS256", "HS384", "HS512"]).map(SignMethod::Hmac))
    }

    /// Its name, as in a token's header.
    pub(super) fn name(self) -> &'static str {
        match self {
            SignMethod::Rsa(name) | SignMethod::Ecdsa(name) | SignMethod::Hmac(name) => name,
            SignMethod::EdDsa => "EdDSA",
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            SignMethod::Rsa("RS256") => &signature::RSA_PKCS1_2048_8192_SHA256,
            SignMethod::Rsa("RS384") => &signature::RSA_PKCS1_2048_8192_SHA384,
            SignMethod::Rsa("RS512") => &signature::RSA_PKCS1_2048_8192_SHA512,
            SignMethod::Rsa("PS256") => &signature::RSA_PSS_2048_8192_SHA256,
            SignMethod::Rsa("PS384") => &signature::RSA_PSS_2048_8192_SHA384,
            SignMethod::Rsa(_) => &signature::RSA_PSS_2048_8192_SHA512,
            SignMethod::Ecdsa("ES256") => &signature::ECDSA_P256_SHA256_FIXED,
            SignMethod::Ecdsa(_) => &signature::ECDSA_P384_SHA384_FIXED,
            SignMethod::EdDsa | SignMethod::Hmac(_) => &signature::ED25519,
        }
    }

    fn rsa_encoding(self) -> &'static dyn RsaEncoding {
        match self {
            SignMethod::Rsa("RS256") => &signature::RSA_PKCS1_SHA256,
            SignMethod::Rsa("RS384") => &signature::RSA_PKCS1_SHA384,
            SignMethod::Rsa("RS512") => &signature::RSA_PKCS1_SHA512,
            SignMethod::Rsa("PS256") => &signature::RSA_PSS_SHA256,
            SignMethod::Rsa("PS384") => &signature::RSA_PSS_SHA384,
            _ => &signature::RSA_PSS_SHA512,
        }
    }

    fn ecdsa_signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            SignMethod::Ecdsa("ES256") => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            _ => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            SignMethod::Hmac("HS256") => hmac::HMAC_SHA256,
            SignMethod::Hmac("HS384") => hmac::HMAC_SHA384,
            _ => hmac::HMAC_SHA512,
        }
    }
}

/// A key pair, a public key alone, or a secret.
pub(super) struct Key {
    method: SignMethod,
    kind: Kind,
    random: SystemRandom,
}

enum Kind {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Secret(hmac::Key),
    /// Verifies only.
    Public(Vec<u8>),
}

impl Key {
    /// Reads the files.
    ///
    /// # Errors
    /// A file cannot be read or holds no key for the method, or the two keys do not belong together.
    pub(super) fn open(settings: &JwtSettings) -> Result<Key, KeyError> {
        let method = settings.method;
        let private = settings.private_key.as_ref().map(read).transpose()?;
        let public = settings.public_key.as_ref().map(read).transpose()?;
        if matches!(method, SignMethod::Hmac(_)) {
            let (_, secret) = private.ok_or(KeyError::Missing)?;
            return Ok(Key::new(method, Kind::Secret(hmac::Key::new(method.hmac(), &secret))));
        }
        let public = public.map(|(path, bytes)| public_key(&bytes).map_err(unusable(path, method))).transpose()?;
        let Some((path, bytes)) = private else {
            return Ok(Key::new(method, Kind::Public(public.ok_or(KeyError::Missing)?)));
        };
        let kind = key_pair(method, &bytes).map_err(unusable(path, method))?;
        if public.is_some_and(|public| kind.public() != Some(public.as_slice())) {
            return Err(KeyError::Mismatch);
        }
        Ok(Key::new(method, kind))
    }

    fn new(method: SignMethod, kind: Kind) -> Key {
        Key { method, kind, random: SystemRandom::new() }
    }

    /// The signing method.
    pub(super) fn method(&self) -> SignMethod {
        self.method
    }

    /// The signature; None if the key only verifies or the machine gives no random numbers.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(self.method.rsa_encoding(), &self.random, message, &mut signature).ok()?;
                Some(signature)
            }
            Kind::Ecdsa(pair) => pair.sign(&self.random, message).ok().map(|signature| signature.as_ref().to_vec()),
            Kind::Ed(pair) => Some(pair.sign(message).as_ref().to_vec()),
            Kind::Secret(secret) => Some(hmac::sign(secret, message).as_ref().to_vec()),
            Kind::Public(_) => None,
        }
    }

    /// Is this the key's signature?
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Secret(secret) => hmac::verify(secret, message, signature).is_ok(),
            kind => kind.public().is_some_and(|public| {
                UnparsedPublicKey::new(self.method.verification(), public).verify(message, signature).is_ok()
            }),
        }
    }
}

impl Kind {
    fn public(&self) -> Option<&[u8]> {
        match self {
            Kind::Rsa(pair) => Some(pair.public_key().as_ref()),
            Kind::Ecdsa(pair) => Some(pair.public_key().as_ref()),
            Kind::Ed(pair) => Some(pair.public_key().as_ref()),
            Kind::Public(public) => Some(public),
            Kind::Secret(_) => None,
        }
    }
}

/// A secret is not for logs.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("method", &self.method).finish_non_exhaustive()
    }
}

type File = (PathBuf, Vec<u8>);

fn read(path: &PathBuf) -> Result<File, KeyError> {
    let bytes = std::fs::read(path).map_err(|source| KeyError::File { path: path.clone(), source })?;
    Ok((path.clone(), bytes))
}

fn unusable(path: PathBuf, method: SignMethod) -> impl FnOnce(String) -> KeyError {
    move |reason| KeyError::Unusable { path, method: method.name(), reason }
}

fn blocks(bytes: &[u8]) -> Result<Vec<Pem>, String> {
    let blocks = der::pem_blocks(&String::from_utf8_lossy(bytes));
    if blocks.is_empty() { Err("it is not in PEM form".to_owned()) } else { Ok(blocks) }
}

/// The key in the form in which it is compared and verified with: from a public key or a certificate.
fn public_key(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let blocks = blocks(bytes)?;
    let key = blocks.iter().find_map(|pem| match pem.label.as_str() {
        "PUBLIC KEY" => der::public_key_of_info(&pem.der).map(<[u8]>::to_vec),
        "RSA PUBLIC KEY" => Some(pem.der.clone()),
        "CERTIFICATE" => {
            let der = rustls::pki_types::CertificateDer::from(pem.der.as_slice());
            let certificate = webpki::EndEntityCert::try_from(&der).ok()?;
            der::public_key_of_info(&certificate.subject_public_key_info()).map(<[u8]>::to_vec)
        }
        _ => None,
    });
    key.ok_or_else(|| "it has no public key and no certificate".to_owned())
}

fn key_pair(method: SignMethod, bytes: &[u8]) -> Result<Kind, String> {
    let blocks = blocks(bytes)?;
    let found = blocks.iter().find(|pem| pem.label.ends_with("PRIVATE KEY"));
    let Pem { label, der } = found.ok_or_else(|| "it has no private key".to_owned())?;
    let refused = |error: ring::error::KeyRejected| format!("the private key is refused: {error}");
    match (method, label.as_str()) {
        (SignMethod::Rsa(_), "RSA PRIVATE KEY") => RsaKeyPair::from_der(der).map(Kind::Rsa).map_err(refused),
        (SignMethod::Rsa(_), "PRIVATE KEY") => RsaKeyPair::from_pkcs8(der).map(Kind::Rsa).map_err(refused),
        (SignMethod::Ecdsa(_), "EC PRIVATE KEY") => {
            let (private, public) = der::ec_private_key(der).ok_or_else(|| "its public part is missing".to_owned())?;
            let signing = method.ecdsa_signing();
            let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, private, public, &SystemRandom::new());
            pair.map(Kind::Ecdsa).map_err(refused)
        }
        (SignMethod::Ecdsa(_), "PRIVATE KEY") => {
            let pair = EcdsaKeyPair::from_pkcs8(method.ecdsa_signing(), der, &SystemRandom::new());
            pair.map(Kind::Ecdsa).map_err(refused)
        }
        (SignMethod::EdDsa, "PRIVATE KEY") => {
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Kind::Ed).map_err(refused)
        }
        _ => Err(format!("{label} is of another kind")),
    }
}
