//! Two sites and the wire between them. rennes dials nantes, through the proxy; nantes is told no address of rennes, so that
//! there is no way around the proxy.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::kubernetes::{Binaries, ProcessError, StorageEncoding, free_port};
use super::proxy::Proxy;
use super::site::{Site, SiteConfig, SiteError};

/// What a pair of sites is started with.
#[derive(Clone, Debug)]
pub struct PairConfig {
    /// A folder of its own.
    pub directory: PathBuf,
    /// The `archipel` binary.
    pub program: PathBuf,
    /// How the kube-apiserver of nantes and that of rennes write objects.
    pub encodings: (StorageEncoding, StorageEncoding),
    /// Whether the kube-apiservers check the stores' promises.
    pub strict: bool,
}

/// The sites nantes and rennes. Dropping the pair stops all that it started.
#[derive(Debug)]
pub struct Pair {
    pub nantes: Site,
    pub rennes: Site,
    /// The wire, on nantes' side of which is the listener.
    pub wire: Proxy,
}

impl Pair {
    /// Starts both sites side by side. They do not know each other yet.
    ///
    /// # Errors
    /// The first [`SiteError`]; what was already running is stopped.
    pub async fn start(binaries: &Binaries, config: PairConfig) -> Result<Pair, SiteError> {
        let io = |source| SiteError::Io { name: "the wire".to_owned(), source };
        let (nantes_port, rennes_port) = (free_port().map_err(io)?, free_port().map_err(io)?);
        let wire = Proxy::open(local(nantes_port)).await.map_err(io)?;
        let site = |name: &str, encoding, network, link_port, link_advertised| SiteConfig {
            name: name.to_owned(),
            directory: config.directory.join(name),
            program: config.program.clone(),
            encoding,
            network,
            strict: config.strict,
            link_port,
            link_advertised,
        };
        let nantes = site("nantes", config.encodings.0, 96, nantes_port, Some(wire.address()));
        let rennes = site("rennes", config.encodings.1, 97, rennes_port, None);
        let (nantes, rennes) = tokio::join!(Site::start(binaries, nantes), Site::start(binaries, rennes));
        Ok(Pair { nantes: nantes?, rennes: rennes?, wire })
    }

    /// Both sites, for what is said of either.
    pub fn sites(&self) -> [&Site; 2] {
        [&self.nantes, &self.rennes]
    }

    /// Checks that every program still runs.
    ///
    /// # Errors
    /// The program that ended, with the end of its log.
    pub fn check(&self) -> Result<(), ProcessError> {
        self.sites().into_iter().try_for_each(Site::check)
    }

    /// The folder with all logs.
    pub fn directory(&self) -> &Path {
        self.nantes.directory().parent().unwrap_or(self.nantes.directory())
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
