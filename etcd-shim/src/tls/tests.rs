use super::*;
use crate::config::{CertificateSource, TlsSettings, TlsVersions};
use std::{io::ErrorKind, path::Path, sync::Arc, time::Duration};
use tokio::io::duplex;

const SHORT: Duration = Duration::from_millis(30);

fn made(directory: &Path) -> Arc<LiveTls> {
    let settings = TlsSettings {
        certificate: Some(CertificateSource::Made { years: 1 }),
        trusted_ca: None,
        client_cert_auth: false,
        crl: None,
        allowed_hostnames: Vec::new(),
        allowed_names: Vec::new(),
        versions: TlsVersions::Both,
        cipher_suites: Vec::new(),
    };
    Arc::new(LiveTls::open(&settings, directory, vec!["localhost".to_owned()]).unwrap().unwrap())
}

#[tokio::test]
async fn a_client_that_says_nothing_frees_its_slot() {
    let directory = tempfile::tempdir().unwrap();
    let handshakes = Handshakes::bounded(made(directory.path()), 1, SHORT);
    // Their far ends stay open and silent.
    let (first, _first_client) = duplex(1024);
    let (second, _second_client) = duplex(1024);
    let (first, second) = tokio::join!(handshakes.accept(first), handshakes.accept(second));
    for outcome in [first, second] {
        assert_eq!(outcome.map(drop).unwrap_err().kind(), ErrorKind::TimedOut);
    }
    assert_eq!(handshakes.free(), 1);
}

#[test]
fn a_made_certificate_ends_when_it_was_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let ends_s = made(directory.path()).facts().server_not_after_s;
    let now_s = time::OffsetDateTime::now_utc().unix_timestamp();
    assert!((ends_s - now_s - 365 * 24 * 3600).abs() < 60, "{ends_s}");
    assert_eq!(made(directory.path()).facts().server_not_after_s, ends_s, "it is made once");
}
