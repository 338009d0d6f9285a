//! The keys and certificates of one control plane, and the kubeconfig that goes with them.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

/// The files that kube-apiserver and kube-controller-manager are pointed at, all in one folder of the site.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// Certificate of the authority that signed the serving certificate (PEM).
    pub(crate) authority: PathBuf,
    /// Its certificate as DER, for our own requests.
    pub(crate) authority_der: Vec<u8>,
    /// kube-apiserver's serving certificate for 127.0.0.1, and its key.
    pub(crate) serving: PathBuf,
    pub(crate) serving_key: PathBuf,
    /// The P-256 key that signs service account tokens, and its public half.
    pub(crate) service_account_key: PathBuf,
    pub(crate) service_account_public: PathBuf,
    /// kube-apiserver's `--token-auth-file`, with the administrator's token.
    pub(crate) tokens: PathBuf,
    /// The administrator's token.
    pub(crate) admin_token: String,
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A key or certificate could not be made.
    #[error("cannot make the certificates of the control plane: {0}")]
    Make(#[from] rcgen::Error),
    /// A file could not be written.
    #[error("{path}: {source}; free some space or check the permissions")]
    File { path: PathBuf, source: std::io::Error },
}

impl Certificates {
    /// Makes everything anew in `directory`, which must exist. Tokens signed with an earlier key are not valid
    /// any more: a control plane that starts again on its old store needs its old folder.
    pub(crate) fn make(directory: &Path, name: &str) -> Result<Certificates, CertificateError> {
        let authority_key = KeyPair::generate()?;
        let mut authority = CertificateParams::new(Vec::new())?;
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        authority.distinguished_name.push(DnType::CommonName, format!("{name} Kubernetes"));
        let authority_certificate = authority.self_signed(&authority_key)?;
        let issuer = Issuer::new(authority, authority_key);

        let serving_key = KeyPair::generate()?;
        let mut serving = CertificateParams::new(vec!["localhost".to_owned(), "kubernetes.default.svc".to_owned()])?;
        serving.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
        serving.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        let serving_certificate = serving.signed_by(&serving_key, &issuer)?;

        let service_account = KeyPair::generate()?;
        let certificates = Certificates {
            authority: directory.join("ca.crt"),
            authority_der: authority_certificate.der().to_vec(),
            serving: directory.join("apiserver.crt"),
            serving_key: directory.join("apiserver.key"),
            service_account_key: directory.join("service-account.key"),
            service_account_public: directory.join("service-account.pub"),
            tokens: directory.join("tokens.csv"),
            admin_token: uuid::Uuid::new_v4().simple().to_string(),
        };
        write_private(&certificates.authority, &authority_certificate.pem())?;
        write_private(&certificates.serving, &serving_certificate.pem())?;
        write_private(&certificates.serving_key, &serving_key.serialize_pem())?;
        write_private(&certificates.service_account_key, &service_account.serialize_pem())?;
        write_private(&certificates.service_account_public, &service_account.public_key_pem())?;
        // Token, user, uid, groups: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#static-token-file
        write_private(&certificates.tokens, &format!("{},admin,admin,system:masters\n", certificates.admin_token))?;
        Ok(certificates)
    }

    /// Writes a kubeconfig that holds all that a client needs: the file can be copied anywhere.
    pub(crate) fn write_kubeconfig(&self, path: &Path, name: &str, port: u16) -> Result<(), CertificateError> {
        let authority = std::fs::read(&self.authority)
            .map_err(|source| CertificateError::File { path: self.authority.clone(), source })?;
        let kubeconfig = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority-data": BASE64.encode(authority),
            }}],
            "users": [{"name": name, "user": {"token": self.admin_token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        });
        // JSON is YAML.
        write_private(path, &format!("{kubeconfig:#}\n"))
    }
}

/// Writes a file that only its owner can read: most of these open the cluster.
pub(crate) fn write_private(path: &Path, content: &str) -> Result<(), CertificateError> {
    let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes()))
        .map_err(|source| CertificateError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_forms_that_kube_apiserver_reads() {
        let directory = std::env::temp_dir().join(format!("archipel-certificates-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let made = Certificates::make(&directory, "nantes").unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert!(read(&made.service_account_key).starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(read(&made.service_account_public).starts_with("-----BEGIN PUBLIC KEY-----"));
        made.write_kubeconfig(&directory.join("kubeconfig"), "nantes", 6443).unwrap();
        let kubeconfig: serde_json::Value = serde_json::from_str(&read(&directory.join("kubeconfig"))).unwrap();
        assert_eq!(kubeconfig["clusters"][0]["cluster"]["server"], "https://127.0.0.1:6443");
        std::fs::remove_dir_all(directory).unwrap();
    }
}
