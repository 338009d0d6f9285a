//! What is served now. Each handshake looks whether a file changed, which is a `stat` a file; a change is read at once.

use super::{
    TlsError,
    certificate::Facts,
    made,
    server_config::{self, Files},
};
use crate::config::{CertificateSource, TlsSettings};
use rustls::ServerConfig;
use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// TLS of the listeners; shared by all of them.
#[derive(Debug)]
pub struct LiveTls {
    settings: TlsSettings,
    files: Files,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Of the files at the last look, whether what was read then is served or not.
    stamps: Vec<Stamp>,
    serving: Arc<ServerConfig>,
    facts: Facts,
}

/// A file as it was: device, inode, length, and when it changed in nanoseconds. None = it was not there.
type Stamp = Option<(u64, u64, u64, i128)>;

impl LiveTls {
    /// Reads certificate, key, CAs and revocations for the first time; None if nothing is to be served with TLS. A
    /// certificate that is to be made is made, for `hosts`. Blocks on the disk.
    ///
    /// # Errors
    /// They cannot be served.
    pub fn open(settings: &TlsSettings, data_dir: &Path, hosts: Vec<String>) -> Result<Option<LiveTls>, TlsError> {
        let (certificate, key) = match &settings.certificate {
            None => return Ok(None),
            Some(CertificateSource::Files { certificate, key }) => (certificate.clone(), key.clone()),
            Some(CertificateSource::Made { years }) => made::open(data_dir, hosts, *years)?,
        };
        let (trusted_ca, crl) = (settings.trusted_ca.clone(), settings.crl.clone());
        let files = Files { certificate, key, trusted_ca, crl };
        let stamps = stamps(&files);
        let (serving, facts) = server_config::load(&files, settings)?;
        let state = Mutex::new(State { stamps, serving, facts });
        Ok(Some(LiveTls { settings: settings.clone(), files, state }))
    }

    /// What the next handshake is served with. When a file changed, everything is read again; what cannot be served is
    /// logged, once, and the last good goes on.
    #[must_use]
    pub fn current(&self) -> Arc<ServerConfig> {
        self.look().0
    }

    /// Does a client's certificate name a user? With `--client-cert-auth`; CAs alone only decide who is let in.
    pub(super) fn names_users(&self) -> bool {
        self.settings.client_cert_auth
    }

    /// What is known of the certificates that are served now.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.look().1
    }

    fn look(&self) -> (Arc<ServerConfig>, Facts) {
        // A panic inside cannot leave the state half written: it is assigned whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // The stamps are taken before the files are read: a change in between is found by the next look.
        let stamps = stamps(&self.files);
        if state.stamps != stamps {
            state.stamps = stamps;
            match server_config::load(&self.files, &self.settings) {
                Ok((serving, facts)) => {
                    (state.serving, state.facts) = (serving, facts);
                    tracing::info!(not_after_s = facts.server_not_after_s, "certificates were read again");
                }
                Err(error) => tracing::warn!(%error, "changed certificates cannot be served; the last good ones go on"),
            }
        }
        (Arc::clone(&state.serving), state.facts)
    }
}

fn stamps(files: &Files) -> Vec<Stamp> {
    files.paths().map(stamp).collect()
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    let changed_ns = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    Some((metadata.dev(), metadata.ino(), metadata.len(), changed_ns))
}
