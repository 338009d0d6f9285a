//! Who this site is on a link: its own CA, made at the first start, and a certificate that every start renews.
//!
//! Trust is a pin: the other site remembers the SHA-256 of this CA. The CA's key never leaves the data directory; the
//! certificate's key never leaves memory.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Folder of the identity in the data directory.
const FOLDER: &str = "link";
const CA_KEY_FILE: &str = "ca.key";
const CA_FILE: &str = "ca.crt";

/// A CA is trusted for as long as it is pinned; its end is only a formality of X.509.
const CA_DAYS: i64 = 100 * 365;
/// A certificate outlives every process that could use it, and is renewed at every start.
const CERTIFICATE_DAYS: i64 = 5 * 365;
/// Certificates are valid from this long before they are made, for peers whose clock is behind.
const BACKDATED_DAYS: i64 = 2;

/// What the URI in a site's certificate starts with.
const SITE_URI: &str = "archipel://site/";

/// SHA-256 of a CA certificate's DER form: what sites pin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        let mut out = [0; 32];
        out.copy_from_slice(digest.as_ref());
        Self(out)
    }

    /// From its 32 bytes; None if they are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why the identity could not be opened or made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file could not be read or written.
    #[error("the link identity in {path}: {source}; check the data directory's owner and rights")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file can be read by others.
    #[error(
        "the link CA's key {path} can be read by others (mode {mode:o}); run chmod 600 on it, and pair again if it may have been copied"
    )]
    Readable {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file holds something else, or one of the two is missing.
    #[error(
        "the link identity in {path} is damaged: {reason}; restore both files, or remove both and pair again with every peer"
    )]
    Damaged {
        /// Which.
        path: PathBuf,
        /// How.
        reason: String,
    },
    /// A certificate could not be made.
    #[error("the link certificate could not be made: {0}")]
    Certificate(String),
}

/// The site's identity on links. Clones share it.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The site id that the certificate names.
    pub site_id: Uuid,
    /// Fingerprint of the site's CA: what peers pin.
    pub fingerprint: Fingerprint,
    /// Certificate and CA, with the certificate's key.
    pub certified: Arc<CertifiedKey>,
}

impl Identity {
    /// Opens the identity in `data_dir`, or makes it. Blocks on the disk.
    ///
    /// # Errors
    /// A file is unreadable, readable by others, or damaged.
    pub fn open(data_dir: &Path, site_id: Uuid) -> Result<Self, IdentityError> {
        let folder = data_dir.join(FOLDER);
        let (key_path, ca_path) = (folder.join(CA_KEY_FILE), folder.join(CA_FILE));
        let (key, ca) = match (read(&key_path)?, read(&ca_path)?) {
            (Some(key), Some(ca)) => {
                let key = KeyPair::from_pem(&key)
                    .map_err(|e| IdentityError::Damaged { path: key_path.clone(), reason: e.to_string() })?;
                (key, decode_pem(&ca_path, &ca)?)
            }
            // The key is written last: a CA alone is a first start that was cut off.
            (None, _) => make_ca(&folder, site_id)?,
            (Some(_), None) => {
                let reason = format!("{CA_FILE} is missing");
                return Err(IdentityError::Damaged { path: folder, reason });
            }
        };
        let fingerprint = Fingerprint::of(&ca);
        let certified = Arc::new(issue(site_id, key, ca)?);
        Ok(Self { site_id, fingerprint, certified })
    }
}

/// The URI that names a site in its certificate.
pub fn site_uri(site_id: Uuid) -> String {
    format!("{SITE_URI}{site_id}")
}

/// The site that a certificate's URI names.
pub fn site_of_uri(uri: &str) -> Option<Uuid> {
    Uuid::try_parse(uri.strip_prefix(SITE_URI)?).ok()
}

fn ca_params(site_id: Uuid) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, format!("archipel link CA {site_id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    validity(&mut params, CA_DAYS);
    Ok(params)
}

fn validity(params: &mut CertificateParams, days: i64) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::days(BACKDATED_DAYS);
    params.not_after = now + Duration::days(days);
}

fn make_ca(folder: &Path, site_id: Uuid) -> Result<(KeyPair, CertificateDer<'static>), IdentityError> {
    let failed = |e: rcgen::Error| IdentityError::Certificate(e.to_string());
    let key = KeyPair::generate().map_err(failed)?;
    let ca = ca_params(site_id).map_err(failed)?.self_signed(&key).map_err(failed)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| IdentityError::Io { path: folder.to_owned(), source })?;
    write(&folder.join(CA_FILE), ca.pem().as_bytes())?;
    write(&folder.join(CA_KEY_FILE), key.serialize_pem().as_bytes())?;
    Ok((key, ca.der().clone()))
}

/// A certificate for both ends of a link, with the CA behind it: the receiver knows the CA by its fingerprint only.
fn issue(site_id: Uuid, ca_key: KeyPair, ca: CertificateDer<'static>) -> Result<CertifiedKey, IdentityError> {
    let failed = |e: rcgen::Error| IdentityError::Certificate(e.to_string());
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    let uri = site_uri(site_id).try_into().map_err(failed)?;
    params.subject_alt_names.push(rcgen::SanType::URI(uri));
    params.distinguished_name.push(DnType::CommonName, format!("archipel site {site_id}"));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    validity(&mut params, CERTIFICATE_DAYS);
    let issuer = Issuer::new(ca_params(site_id).map_err(failed)?, ca_key);
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let signing = rustls::crypto::ring::sign::any_supported_type(&private)
        .map_err(|e| IdentityError::Certificate(e.to_string()))?;
    Ok(CertifiedKey::new(vec![certificate.der().clone(), ca], signing))
}

fn read(path: &Path) -> Result<Option<String>, IdentityError> {
    let failed = |source| IdentityError::Io { path: path.to_owned(), source };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(IdentityError::Readable { path: path.to_owned(), mode });
    }
    Ok(Some(text))
}

/// Writes a file that exists whole and durable, or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), IdentityError> {
    let failed = |source| IdentityError::Io { path: path.to_owned(), source };
    let part = path.with_extension("part");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&part, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder).and_then(|f| f.sync_all()).map_err(failed)
}

fn decode_pem(path: &Path, text: &str) -> Result<CertificateDer<'static>, IdentityError> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(text.as_bytes())
        .map_err(|e| IdentityError::Damaged { path: path.to_owned(), reason: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ca_survives_a_restart_and_only_its_owner_can_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let site = Uuid::new_v4();
        let first = Identity::open(dir.path(), site).unwrap();
        let again = Identity::open(dir.path(), site).unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_ne!(first.certified.cert.first(), again.certified.cert.first(), "renewed at every start");

        let key = dir.path().join(FOLDER).join(CA_KEY_FILE);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(dir.path().join(FOLDER)).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Identity::open(dir.path(), site), Err(IdentityError::Readable { .. })));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&key, "no key").unwrap();
        assert!(matches!(Identity::open(dir.path(), site), Err(IdentityError::Damaged { .. })));
    }

    #[test]
    fn a_site_is_named_by_a_uri() {
        let site = Uuid::new_v4();
        assert_eq!(site_of_uri(&site_uri(site)), Some(site));
        assert_eq!(site_of_uri("spiffe://site/x"), None);
    }
}
