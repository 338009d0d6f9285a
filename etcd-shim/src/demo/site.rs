//! One site of the demo: an `archipel` process of its own, the control plane above it, and the verbs of its command line.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpStream;

use super::kubernetes::{
    Api, Binaries, ControlPlane, ControlPlaneConfig, Kubectl, LaunchError, Process, ProcessError, StorageEncoding,
    free_port,
};

/// How long a store may take until it accepts connections, also after kill -9.
const STORE_PATIENCE: Duration = Duration::from_secs(30);
/// How often that is tried.
const STORE_LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long one verb of the command line may take.
const VERB_PATIENCE: Duration = Duration::from_secs(60);
/// Exit code of a verb that worked and says that not everything is well, such as a link that is down.
const VERB_DEGRADED: i32 = 2;
/// How many fake nodes a site has: two, so that a scheduler has something to choose.
const NODES: u32 = 2;

/// What a site is started with.
#[derive(Clone, Debug)]
pub struct SiteConfig {
    /// Its name, by which its peers know it.
    pub name: String,
    /// Its folder.
    pub directory: PathBuf,
    /// The `archipel` binary.
    pub program: PathBuf,
    /// How its kube-apiserver writes objects.
    pub encoding: StorageEncoding,
    /// The second byte of its Service and (plus 100) pod addresses, so that one can tell the sites apart.
    pub network: u8,
    /// Whether its kube-apiserver checks the store's promises; see [`ControlPlaneConfig::strict`].
    pub strict: bool,
    /// Where its links listen.
    pub link_port: u16,
    /// Where its peers reach that; `None` tells them no address, so that only this site dials.
    pub link_advertised: Option<SocketAddr>,
}

/// Why a site did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SiteError {
    /// A file or port could not be used.
    #[error("{name}: {source}")]
    Io { name: String, source: std::io::Error },
    /// A program did not start or ended.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The store accepts no connections.
    #[error("archipel of {name} does not accept connections after {} s: see {log}", STORE_PATIENCE.as_secs())]
    StoreNotServing { name: String, log: PathBuf },
    /// The control plane did not start.
    #[error("{name}: {source}")]
    Launch { name: String, source: LaunchError },
    /// A verb failed; this is what it said.
    #[error("`{command}`: {message}")]
    Verb { command: String, message: String },
}

/// A running site. Dropping it stops the control plane, then the store.
#[derive(Debug)]
pub struct Site {
    config: SiteConfig,
    client_port: u16,
    plane: ControlPlane,
    // After the control plane: fields are dropped in this order.
    store: Process,
    store_serving_after: Duration,
}

impl Site {
    /// Starts the store and, once it serves, the control plane.
    ///
    /// # Errors
    /// [`SiteError`]; what was already running is stopped.
    pub async fn start(binaries: &Binaries, config: SiteConfig) -> Result<Site, SiteError> {
        let io = |source| SiteError::Io { name: config.name.clone(), source };
        std::fs::create_dir_all(&config.directory).map_err(io)?;
        let client_port = free_port().map_err(io)?;
        let (store, store_serving_after) = start_store(&config, client_port).await?;
        let plane = ControlPlane::start(binaries, plane_config(&config, client_port))
            .await
            .map_err(|source| SiteError::Launch { name: config.name.clone(), source })?;
        Ok(Site { config, client_port, plane, store, store_serving_after })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Its folder; the store's folder is `archipel` in it.
    pub fn directory(&self) -> &Path {
        &self.config.directory
    }

    /// The folder of its store, which is how a verb finds the socket of the site's admin API.
    pub fn store_directory(&self) -> PathBuf {
        store_directory(&self.config)
    }

    /// Requests to its kube-apiserver.
    pub fn api(&self) -> &Api {
        self.plane.api()
    }

    /// kubectl for it.
    pub fn kubectl(&self) -> &Kubectl {
        self.plane.kubectl()
    }

    /// Its control plane.
    pub fn plane(&self) -> &ControlPlane {
        &self.plane
    }

    /// The URL of its etcd API.
    pub fn client_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    /// How long the store took from its start to its first accepted connection.
    pub fn store_serving_after(&self) -> Duration {
        self.store_serving_after
    }

    /// The process id of its store.
    pub fn store_pid(&self) -> u32 {
        self.store.id()
    }

    /// `kill -9` of the store. The control plane stays up and waits.
    pub fn kill_store(&self) {
        self.store.kill();
    }

    /// Starts the store again on its old folder and ports, and returns how long it took until it accepted connections.
    ///
    /// # Errors
    /// [`SiteError`].
    pub async fn restart_store(&mut self) -> Result<Duration, SiteError> {
        self.store.stop();
        let (store, serving_after) = start_store(&self.config, self.client_port).await?;
        self.store = store;
        Ok(serving_after)
    }

    /// Runs `archipel VERB… --data-dir …` and returns what it printed. The folder is how a verb finds the socket of its
    /// site's admin API.
    ///
    /// # Errors
    /// [`SiteError::Verb`] with the verb's own message.
    pub async fn archipel(&self, verb: &[&str]) -> Result<String, SiteError> {
        let shown = format!("archipel {}", verb.join(" "));
        let failed = |message: String| SiteError::Verb { command: shown.clone(), message };
        let child = tokio::process::Command::new(&self.config.program)
            .args(verb)
            .arg("--data-dir")
            .arg(store_directory(&self.config))
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = match tokio::time::timeout(VERB_PATIENCE, child).await {
            Ok(output) => output.map_err(|error| failed(error.to_string()))?,
            Err(_) => return Err(failed(format!("did not end within {} s", VERB_PATIENCE.as_secs()))),
        };
        // 2 says that the site is degraded, e.g. that a link is down; the verb itself worked.
        if output.status.success() || output.status.code() == Some(VERB_DEGRADED) {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Runs a verb that prints JSON.
    ///
    /// # Errors
    /// [`SiteError::Verb`], also when the output is not JSON.
    pub async fn archipel_json(&self, verb: &[&str]) -> Result<Value, SiteError> {
        let output = self.archipel(verb).await?;
        serde_json::from_str(&output).map_err(|error| SiteError::Verb {
            command: format!("archipel {}", verb.join(" ")),
            message: format!("printed something that is not JSON: {error}"),
        })
    }

    /// Checks that everything of this site still runs.
    ///
    /// # Errors
    /// The program that ended, with the end of its log.
    pub fn check(&self) -> Result<(), ProcessError> {
        self.store.check()?;
        self.plane.check()
    }
}

fn store_directory(config: &SiteConfig) -> PathBuf {
    config.directory.join("archipel")
}

fn plane_config(config: &SiteConfig, client_port: u16) -> ControlPlaneConfig {
    let network = config.network;
    ControlPlaneConfig {
        name: config.name.clone(),
        directory: config.directory.clone(),
        store_url: format!("http://127.0.0.1:{client_port}"),
        encoding: config.encoding,
        service_cidr: format!("10.{network}.0.0/16"),
        pod_cidr: format!("10.{}.0.0/16", network.saturating_add(100)),
        nodes: NODES,
        strict: config.strict,
    }
}

async fn start_store(config: &SiteConfig, client_port: u16) -> Result<(Process, Duration), SiteError> {
    let advertised = config.link_advertised.map_or_else(|| "none".to_owned(), |address| address.to_string());
    let mut command = std::process::Command::new(&config.program);
    command.args([
        format!("--name={}", config.name),
        format!("--data-dir={}", store_directory(config).display()),
        format!("--listen-client-urls=http://127.0.0.1:{client_port}"),
        format!("--advertise-client-urls=http://127.0.0.1:{client_port}"),
        format!("--link-listen-url=https://127.0.0.1:{}", config.link_port),
        format!("--link-advertise-address={advertised}"),
    ]);
    let log = config.directory.join("archipel.log");
    let start = Instant::now();
    let store = Process::start("archipel", command, &log)?;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, client_port)).await.is_err() {
        store.check()?;
        if start.elapsed() >= STORE_PATIENCE {
            return Err(SiteError::StoreNotServing { name: config.name.clone(), log });
        }
        tokio::time::sleep(STORE_LOOK_EVERY).await;
    }
    Ok((store, start.elapsed()))
}
