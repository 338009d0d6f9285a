//! What is read out of a certificate besides verifying it.

use rustls::pki_types::CertificateDer;
use std::time::{SystemTime, UNIX_EPOCH};
use x509_cert::{Certificate, crl::CertificateList, der::Decode};

/// What operators want to know about the certificates that are served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// When the certificate ends, in seconds since 1970.
    pub server_not_after_s: i64,
    /// When the first of the CAs of clients ends; None = no CAs.
    pub client_ca_not_after_s: Option<i64>,
}

/// When a certificate ends, in seconds since 1970.
///
/// # Errors
/// It is no certificate.
pub(super) fn not_after_s(certificate: &CertificateDer<'_>) -> Result<i64, String> {
    let parsed = Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    Ok(seconds(parsed.tbs_certificate().validity().not_after.to_system_time()))
}

fn seconds(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// The subject's common name; None if it has none.
pub(super) fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    let parsed = Certificate::from_der(certificate).ok()?;
    let name = parsed.tbs_certificate().subject().common_name().ok()??;
    Some(name.value().into_owned()).filter(|name: &String| !name.is_empty())
}

/// A certificate's serial number, without leading zeros.
pub(super) fn serial(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate).ok()?;
    Some(significant(parsed.tbs_certificate().serial_number().as_bytes()))
}

/// The serial numbers of a revocation list in DER form, without leading zeros.
///
/// # Errors
/// It is no revocation list.
pub(super) fn revoked(list: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let parsed: CertificateList = CertificateList::from_der(list).map_err(|error| error.to_string())?;
    let entries = parsed.tbs_cert_list.revoked_certificates.unwrap_or_default();
    Ok(entries.iter().map(|entry| significant(entry.serial_number.as_bytes())).collect())
}

fn significant(number: &[u8]) -> Vec<u8> {
    number.iter().copied().skip_while(|byte| *byte == 0).collect()
}
