//! A certificate for `--auto-tls`, made at the first start and kept in the data directory, where etcd keeps its own
//! (etcd client/pkg/transport/listener.go, `SelfCert`).

use super::TlsError;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use time::{Duration, OffsetDateTime};

/// Folder in the data directory.
const FOLDER: &str = "fixtures/client";
const CERTIFICATE_FILE: &str = "cert.pem";
const KEY_FILE: &str = "key.pem";
/// Only the owner may look into the data directory.
const DIRECTORY_MODE: u32 = 0o700;
/// Only the owner may read a key.
const KEY_MODE: u32 = 0o600;

/// The files of the certificate; made for `hosts` if they are not there.
///
/// # Errors
/// They cannot be made or written.
pub(super) fn open(data_dir: &Path, hosts: Vec<String>, years: u64) -> Result<(PathBuf, PathBuf), TlsError> {
    let folder = data_dir.join(FOLDER);
    let (certificate_path, key_path) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
    if certificate_path.exists() && key_path.exists() {
        return Ok((certificate_path, key_path));
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::OrganizationName, "archipel");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = OffsetDateTime::now_utc();
    params.not_after = params.not_before + Duration::days(365) * i32::try_from(years).unwrap_or(i32::MAX);
    let certificate = params.self_signed(&key)?;
    let written = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(&folder);
    written.map_err(|reason| TlsError::File { path: folder, reason })?;
    // The key is written last: a certificate alone is a first start that was cut off.
    write(&certificate_path, &certificate.pem())?;
    write(&key_path, &key.serialize_pem())?;
    tracing::warn!(path = %certificate_path.display(), not_after = %params.not_after, "automatically generate certificates");
    Ok((certificate_path, key_path))
}

fn write(path: &Path, text: &str) -> Result<(), TlsError> {
    let outcome = (|| -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(KEY_MODE).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::File::open(path.parent().unwrap_or(path))?.sync_all()
    })();
    outcome.map_err(|reason| TlsError::File { path: path.to_owned(), reason })
}
