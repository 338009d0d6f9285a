//! Starts one control plane on a store that speaks etcd's API, and stops it.
//!
//! kube-apiserver comes first; the others start when its `/readyz` says ok.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::api::{Api, ApiError};
use super::binaries::Binaries;
use super::certificates::{CertificateError, Certificates, write_private};
use super::kubectl::Kubectl;
use super::nodes::{LEASE_SECONDS, STAGES, fake_nodes};
use super::ports::free_port;
use super::process::{Process, ProcessError, command};

/// How long kube-apiserver may take until it is ready. It takes about three seconds on an idle machine.
const READY_PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked.
const READY_LOOK_EVERY: Duration = Duration::from_millis(50);
/// kube-apiserver only stores this address, in the endpoints of its own service, and refuses a loopback one. This one is
/// reserved for documentation (RFC 5737), so that nothing is ever reached by it.
const ADVERTISED_ADDRESS: &str = "192.0.2.1";

/// In which form kube-apiserver writes its objects to the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum StorageEncoding {
    /// Kubernetes' own default.
    #[default]
    Protobuf,
    /// JSON, as custom resources always are.
    Json,
}

impl StorageEncoding {
    /// The value of kube-apiserver's `--storage-media-type`.
    pub fn media_type(self) -> &'static str {
        match self {
            StorageEncoding::Protobuf => "application/vnd.kubernetes.protobuf",
            StorageEncoding::Json => "application/json",
        }
    }
}

/// What a control plane is started with.
#[derive(Clone, Debug)]
pub struct ControlPlaneConfig {
    /// The site's name; also the name of its kubeconfig context, and the beginning of its nodes' names.
    pub name: String,
    /// Its folder, made when missing: certificates, kubeconfig, logs.
    pub directory: PathBuf,
    /// The store, such as `http://127.0.0.1:2379`.
    pub store_url: String,
    /// How objects are written there.
    pub encoding: StorageEncoding,
    /// Where its Services get their addresses; two sites may differ.
    pub service_cidr: String,
    /// Where its pods get their addresses.
    pub pod_cidr: String,
    /// How many fake nodes it has.
    pub nodes: u32,
    /// Lets kube-apiserver compare its cache with the store, and panic on a watch event that it cannot decode: for tests,
    /// where a broken promise of the store should not stay quiet.
    pub strict: bool,
}

/// Why a control plane did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// Its folder or a file in it could not be written.
    #[error("{path}: {source}; free some space or check the permissions")]
    File { path: PathBuf, source: std::io::Error },
    /// No port is free.
    #[error("no port for kube-apiserver: {0}")]
    Port(std::io::Error),
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] CertificateError),
    /// A program did not start, or ended at once.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// kube-apiserver did not become ready.
    #[error("kube-apiserver of {name} is not ready after {} s: see {log}", READY_PATIENCE.as_secs())]
    NotReady { name: String, log: PathBuf },
    /// It does not take our requests.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Our own certificate is not accepted by our own TLS library.
    #[error("cannot make an HTTPS client for kube-apiserver: {0}")]
    Tls(String),
}

/// A running control plane. Dropping it stops its programs.
#[derive(Debug)]
pub struct ControlPlane {
    config: ControlPlaneConfig,
    kubeconfig: PathBuf,
    api: Api,
    kubectl: Kubectl,
    ready_after: Duration,
    /// In order of start.
    processes: Vec<Process>,
}

impl ControlPlane {
    /// Starts kube-apiserver, waits until it is ready, then starts the others and makes the fake nodes.
    ///
    /// # Errors
    /// [`LaunchError`]; what was already running is stopped.
    pub async fn start(binaries: &Binaries, config: ControlPlaneConfig) -> Result<ControlPlane, LaunchError> {
        let file = |path: &Path| {
            let path = path.to_owned();
            move |source| LaunchError::File { path, source }
        };
        std::fs::create_dir_all(&config.directory).map_err(file(&config.directory))?;
        // Programs get absolute paths: each runs in the site's folder.
        let directory = config.directory.canonicalize().map_err(file(&config.directory))?;
        let config = ControlPlaneConfig { directory: directory.clone(), ..config };
        let certificates = Certificates::make(&directory, &config.name)?;
        let port = free_port().map_err(LaunchError::Port)?;
        let kubeconfig = directory.join("kubeconfig");
        certificates.write_kubeconfig(&kubeconfig, &config.name, port)?;
        let api =
            Api::new(port, certificates.authority_der.clone(), &certificates.admin_token).map_err(LaunchError::Tls)?;
        let kubectl = Kubectl::new(binaries.kubectl(), kubeconfig.clone(), directory.join("kubectl-cache"));

        let start = Instant::now();
        let apiserver = apiserver_command(binaries, &config, &certificates, port);
        let apiserver = run(&config, "kube-apiserver", apiserver)?;
        wait_until_ready(&config, &api, &apiserver).await?;
        let mut plane =
            ControlPlane { config, kubeconfig, api, kubectl, ready_after: start.elapsed(), processes: vec![apiserver] };
        plane.start_controllers(binaries, &certificates)?;
        for node in fake_nodes(&plane.config.name, plane.config.nodes) {
            plane.api.create("/api/v1/nodes", &node).await?;
        }
        Ok(plane)
    }

    fn start_controllers(&mut self, binaries: &Binaries, certificates: &Certificates) -> Result<(), LaunchError> {
        let stages = self.config.directory.join("stages.yaml");
        write_private(&stages, STAGES)?;
        let kwok_port = free_port().map_err(LaunchError::Port)?;
        let commands = [
            ("kube-controller-manager", controller_manager_command(binaries, &self.config, certificates)),
            ("kube-scheduler", command(&binaries.kube_scheduler(), ["--leader-elect=false", "--secure-port=0"])),
            ("kwok", kwok_command(binaries, &self.config, &stages, kwok_port)),
        ];
        for (name, mut command) in commands {
            command.arg(flag("kubeconfig", &self.kubeconfig));
            self.processes.push(run(&self.config, name, command)?);
        }
        Ok(())
    }

    /// The site's name.
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Requests to its kube-apiserver.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// kubectl for it.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// How long kube-apiserver took from its start to its first ready answer.
    pub fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// Its programs, in order of start.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// Checks that all of its programs still run.
    ///
    /// # Errors
    /// [`ProcessError::Ended`] for the first that does not, with the end of its log.
    pub fn check(&self) -> Result<(), ProcessError> {
        self.processes.iter().try_for_each(Process::check)
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // All at once: one after the other would add up their waits.
        Process::stop_all(&self.processes);
    }
}

async fn wait_until_ready(config: &ControlPlaneConfig, api: &Api, apiserver: &Process) -> Result<(), LaunchError> {
    let start = Instant::now();
    while !api.ready().await {
        apiserver.check()?;
        if start.elapsed() >= READY_PATIENCE {
            return Err(LaunchError::NotReady { name: config.name.clone(), log: apiserver.log().to_owned() });
        }
        tokio::time::sleep(READY_LOOK_EVERY).await;
    }
    Ok(())
}

fn run(config: &ControlPlaneConfig, name: &str, mut command: Command) -> Result<Process, ProcessError> {
    command.current_dir(&config.directory);
    Process::start(name, command, &config.directory.join(format!("{name}.log")))
}

fn apiserver_command(
    binaries: &Binaries,
    config: &ControlPlaneConfig,
    certificates: &Certificates,
    port: u16,
) -> Command {
    let mut command = command(
        &binaries.kube_apiserver(),
        [
            format!("--etcd-servers={}", config.store_url),
            format!("--storage-media-type={}", config.encoding.media_type()),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--advertise-address={ADVERTISED_ADDRESS}"),
            flag("cert-dir", &config.directory.join("generated")),
            flag("tls-cert-file", &certificates.serving),
            flag("tls-private-key-file", &certificates.serving_key),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            flag("service-account-key-file", &certificates.service_account_public),
            flag("service-account-signing-key-file", &certificates.service_account_key),
            format!("--service-cluster-ip-range={}", config.service_cidr),
            "--authorization-mode=RBAC".to_owned(),
            flag("token-auth-file", &certificates.tokens),
        ],
    );
    if config.strict {
        command.env("KUBE_WATCHCACHE_CONSISTENCY_CHECKER", "true").env("KUBE_PANIC_WATCH_DECODE_ERROR", "true");
    }
    command
}

fn controller_manager_command(
    binaries: &Binaries,
    config: &ControlPlaneConfig,
    certificates: &Certificates,
) -> Command {
    command(
        &binaries.kube_controller_manager(),
        [
            flag("service-account-private-key-file", &certificates.service_account_key),
            flag("root-ca-file", &certificates.authority),
            "--leader-elect=false".to_owned(),
            "--secure-port=0".to_owned(),
            // Its default is a folder that only root may write.
            flag("flex-volume-plugin-dir", &config.directory.join("flex-volumes")),
        ],
    )
}

fn kwok_command(binaries: &Binaries, config: &ControlPlaneConfig, stages: &Path, port: u16) -> Command {
    command(
        &binaries.kwok(),
        [
            flag("config", stages),
            "--manage-all-nodes=true".to_owned(),
            format!("--node-lease-duration-seconds={LEASE_SECONDS}"),
            "--node-ip=127.0.0.1".to_owned(),
            format!("--cidr={}", config.pod_cidr),
            format!("--server-address=127.0.0.1:{port}"),
        ],
    )
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
