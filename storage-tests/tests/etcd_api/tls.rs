//! TLS on real files: what could go wrong is a site that serves an old certificate for weeks, that a broken file takes
//! down, or that goes on letting in whom its operator shut out. The promise: each handshake is served with the files as
//! they are, or, while they are broken, as they last were.

use super::process::{Process, get};
use archipel_storage_tests::site::free_port;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use std::{fs, io, net::TcpStream, path::Path, sync::Arc};

/// A CA.
struct Authority {
    pem: String,
    der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
struct Certified {
    pem: String,
    der: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Authority { pem, der, issuer: Issuer::new(params, key) }
    }

    fn certify(&self, name: &str, hosts: &[&str], serial: u64) -> Certified {
        let mut params =
            CertificateParams::new(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Certified { pem: certificate.pem(), der: certificate.der().clone(), key }
    }

    fn revoke(&self, serials: &[u64]) -> String {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2024, 1, 1),
            next_update: date_time_ymd(2124, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// Puts content under a name at once, as a certificate manager does.
fn put(directory: &Path, name: &str, content: &str) {
    let new = directory.join(format!("{name}.new"));
    fs::write(&new, content).unwrap();
    fs::rename(new, directory.join(name)).unwrap();
}

fn put_server(directory: &Path, server: &Certified) {
    put(directory, "server.crt", &server.pem);
    put(directory, "server.key", &server.key.serialize_pem());
}

/// What `/metrics` answers over TLS, and the certificate that the site showed.
fn ask(port: u16, trusted: &CertificateDer<'static>, client: Option<&Certified>) -> io::Result<(String, Vec<u8>)> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(client.key.serialize_der()));
            builder.with_client_auth_cert(vec![client.der.clone()], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port))?);
    let answer = get(&mut stream, "/metrics")?;
    let shown = stream.conn.peer_certificates().and_then(<[_]>::first).map(|shown| shown.to_vec());
    if answer.starts_with("HTTP/1.1 200") { Ok((answer, shown.unwrap())) } else { Err(io::Error::other(answer)) }
}

/// Starts a site with TLS on `port` and the files of its directory; `more` flags.
fn start(directory: tempfile::TempDir, port: u16, more: &[&str]) -> Process {
    let urls = [
        format!("--listen-client-urls=https://127.0.0.1:{port}"),
        format!("--advertise-client-urls=https://127.0.0.1:{port}"),
    ];
    let flags: Vec<_> = urls.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Process::start(directory, &flags, &[])
}

const FILES: &[&str] = &["--cert-file=server.crt", "--key-file=server.key"];

#[test]
fn leaf_and_cas_are_read_again_and_a_broken_file_keeps_the_last_good() {
    let (first, second) = (Authority::new("first"), Authority::new("second"));
    let (ada, bob) = (first.certify("ada", &[], 11), second.certify("bob", &[], 12));
    let (old, new) = (first.certify("old", &["localhost"], 1), first.certify("new", &["localhost"], 2));
    let directory = tempfile::tempdir().unwrap();
    put_server(directory.path(), &old);
    put(directory.path(), "ca.crt", &first.pem);
    let port = free_port().unwrap();
    let flags = [FILES, &["--trusted-ca-file=ca.crt", "--client-cert-auth"]].concat();
    let process = start(directory, port, &flags);
    let directory = process.directory.path();
    assert!(process.log().contains("serving client traffic securely"), "{}", process.log());

    let (metrics, shown) = ask(port, &first.der, Some(&ada)).unwrap();
    assert_eq!(shown, old.der.to_vec());
    for role in ["server", "client-ca"] {
        assert!(metrics.contains(&format!("archipel_tls_not_after_seconds{{role=\"{role}\"}} ")), "{metrics}");
    }
    assert!(ask(port, &first.der, None).is_err(), "a client without a certificate is refused");
    assert!(ask(port, &first.der, Some(&bob)).is_err(), "a client of another CA is refused");

    put_server(directory, &new);
    assert_eq!(ask(port, &first.der, Some(&ada)).unwrap().1, new.der.to_vec());

    put(directory, "server.crt", "-----BEGIN CERTIFICATE-----\nbroken");
    assert_eq!(ask(port, &first.der, Some(&ada)).unwrap().1, new.der.to_vec());
    put(directory, "server.crt", &old.pem);
    assert_eq!(ask(port, &first.der, Some(&ada)).unwrap().1, new.der.to_vec(), "a certificate without its key");
    fs::remove_file(directory.join("server.crt")).unwrap();
    assert_eq!(ask(port, &first.der, Some(&ada)).unwrap().1, new.der.to_vec());
    assert_eq!(process.log().matches("the last good ones go on").count(), 3, "{}", process.log());
    put_server(directory, &old);
    assert_eq!(ask(port, &first.der, Some(&ada)).unwrap().1, old.der.to_vec());

    put(directory, "ca.crt", &format!("{}{}", first.pem, second.pem));
    assert!(ask(port, &first.der, Some(&ada)).is_ok() && ask(port, &first.der, Some(&bob)).is_ok());
    put(directory, "ca.crt", &second.pem);
    assert!(ask(port, &first.der, Some(&ada)).is_err(), "a CA that was taken out lets nobody in");
    assert!(ask(port, &first.der, Some(&bob)).is_ok());
}

#[test]
fn revoked_certificates_and_names_that_are_not_allowed_are_refused() {
    let ca = Authority::new("ca");
    let server = ca.certify("server", &["localhost"], 1);
    let (ada, bob) = (ca.certify("ada", &["a.example"], 11), ca.certify("bob", &["b.example"], 12));
    let directory = tempfile::tempdir().unwrap();
    put_server(directory.path(), &server);
    put(directory.path(), "ca.crt", &ca.pem);
    put(directory.path(), "crl", &ca.revoke(&[12]));
    let port = free_port().unwrap();
    let more =
        ["--trusted-ca-file=ca.crt", "--client-crl-file=crl", "--client-cert-allowed-hostname=a.example,b.example"];
    let process = start(directory, port, &[FILES, &more].concat());
    let eve = ca.certify("eve", &["e.example"], 13);
    let is_let_in = |client: &Certified| ask(port, &ca.der, Some(client)).is_ok();
    assert!(is_let_in(&ada));
    assert!(!is_let_in(&bob), "bob is revoked");
    assert!(!is_let_in(&eve), "eve's host is not allowed");
    put(process.directory.path(), "crl", &ca.revoke(&[11]));
    assert!(!is_let_in(&ada));
    assert!(is_let_in(&bob));
}

#[test]
fn a_certificate_is_made_kept_and_served_beside_plain_text() {
    let port = free_port().unwrap();
    let flags = [
        format!("--listen-client-urls=https://127.0.0.1:{port},http://127.0.0.1:{port},unixs://localhost:1"),
        format!("--advertise-client-urls=https://127.0.0.1:{port}"),
        "--auto-tls".to_owned(),
        "--tls-min-version=TLS1.3".to_owned(),
    ];
    let flags = flags.each_ref().map(String::as_str);
    let mut process = Process::start(tempfile::tempdir().unwrap(), &flags, &[]);
    let pem = fs::read(process.directory.path().join("data/fixtures/client/cert.pem")).unwrap();
    let made = <CertificateDer<'_> as rustls::pki_types::pem::PemObject>::from_pem_slice(&pem).unwrap();
    assert_eq!(ask(port, &made, None).unwrap().1, made.to_vec());
    let plain = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(get(plain, "/health").unwrap().starts_with("HTTP/1.1 200"));
    process.terminate();
    let directory = std::mem::replace(&mut process.directory, tempfile::tempdir().unwrap());
    let _process = Process::start(directory, &flags, &[]);
    assert_eq!(ask(port, &made, None).unwrap().1, made.to_vec(), "a restart keeps it");
}
