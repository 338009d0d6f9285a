//! `archipel demo`: finds or builds the programs, starts the pair, tells the story, and leaves both sites running.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use super::kubernetes::{Binaries, BinariesError, StorageEncoding, on_signal_exit_with, stop_everything_on_signals};
use super::narrator::{Narrator, time};
use super::pair::{Pair, PairConfig};
use super::site::{Site, SiteError};
use super::story::{NAMESPACE, Story, StoryError};

/// What the demo is started with.
#[derive(Clone, Debug, clap::Args)]
pub struct DemoOptions {
    /// End after the story, with exit status 0 only if every step held; otherwise both sites run on until Ctrl-C.
    #[arg(long)]
    pub once: bool,
    /// A folder that holds kube-apiserver, kube-controller-manager, kube-scheduler, kubectl (v1.36) and kwok (v0.8).
    /// Default: those on PATH, else they are built into your cache folder (minutes, once; needs Go).
    #[arg(long, value_name = "DIR")]
    pub kubernetes_bin: Option<PathBuf>,
    /// An empty folder for the sites' files. Default: a new one in the temporary folder.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// How nantes and rennes write objects to their stores: one for both, or two separated by a comma.
    #[arg(long, value_name = "ENCODING", value_enum, value_delimiter = ',', num_args = 1..=2, default_value = "protobuf")]
    pub storage_media_type: Vec<StorageEncoding>,
}

impl DemoOptions {
    fn encodings(&self) -> (StorageEncoding, StorageEncoding) {
        let nantes = self.storage_media_type.first().copied().unwrap_or_default();
        (nantes, self.storage_media_type.get(1).copied().unwrap_or(nantes))
    }
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No Kubernetes programs.
    #[error(transparent)]
    Binaries(#[from] BinariesError),
    /// A site did not start.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// The story cannot go on.
    #[error(transparent)]
    Story(#[from] StoryError),
    /// The folder cannot be used.
    #[error("{path}: {source}; name an empty folder with --dir")]
    Directory { path: PathBuf, source: std::io::Error },
    /// The folder holds something, perhaps an earlier demo: nothing of it is touched.
    #[error("{0} is not empty; name a folder that is empty or not there yet with --dir")]
    DirectoryInUse(PathBuf),
    /// No threads.
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    /// Our own program cannot be found to be started again.
    #[error("cannot find the running archipel binary: {0}")]
    Program(std::io::Error),
}

/// Runs the demo. Success means that every step of the story held.
#[must_use]
pub fn run(options: &DemoOptions) -> ExitCode {
    stop_everything_on_signals();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map_err(DemoError::Runtime).and_then(|runtime| runtime.block_on(tell(options))) {
        Ok(narrator) if narrator.broken().is_empty() => ExitCode::SUCCESS,
        Ok(narrator) => {
            println!("\n{} steps did not hold:", narrator.broken().len());
            narrator.broken().iter().for_each(|step| println!("  ✗ {step}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("archipel demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn tell(options: &DemoOptions) -> Result<Narrator, DemoError> {
    let binaries = Binaries::find(options.kubernetes_bin.as_deref()).await?;
    let directory = directory(options)?;
    println!("Starting nantes and rennes in {} …", directory.display());
    let start = Instant::now();
    let program = std::env::current_exe().map_err(DemoError::Program)?;
    let config = PairConfig { directory, program, encodings: options.encodings(), strict: false };
    let mut pair = Pair::start(&binaries, config).await?;
    let mut narrator = Narrator::new();
    let told = Story::new(&mut pair, &mut narrator).tell().await;
    if let Err(error) = told {
        eprintln!("logs are in {}", pair.directory().display());
        return Err(error.into());
    }
    let outcome = if narrator.broken().is_empty() { "every step held" } else { "not every step held" };
    println!("\nThe end: {outcome}, {} in all.", time(start.elapsed()));
    if !options.once {
        leave_running(&pair, narrator.broken().is_empty()).await;
    }
    Ok(narrator)
}

/// Says how to look around, and waits until a signal ends this process.
async fn leave_running(pair: &Pair, held: bool) {
    on_signal_exit_with(i32::from(!held));
    println!("\nBoth sites go on running. Try:\n");
    for site in pair.sites() {
        println!("  export KUBECONFIG={}   # {}", site.kubectl().kubeconfig().display(), site.name());
    }
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("archipel"));
    println!("  {} get pods -A -o wide", pair.nantes.kubectl().program().display());
    let verb = |site: &Site, verb: &str| {
        println!("  {} {verb} --data-dir {}", program.display(), site.store_directory().display());
    };
    verb(&pair.nantes, "status");
    verb(&pair.nantes, &format!("share attach -n {NAMESPACE} --with rennes"));
    verb(&pair.rennes, &format!("share accept -n {NAMESPACE} --from nantes"));
    println!("\nCtrl-C stops everything.");
    std::future::pending::<()>().await;
}

fn directory(options: &DemoOptions) -> Result<PathBuf, DemoError> {
    let fresh = || std::env::temp_dir().join(format!("archipel-demo-{}", std::process::id()));
    let directory = options.dir.clone().unwrap_or_else(fresh);
    let failed = |source| DemoError::Directory { path: directory.clone(), source };
    std::fs::create_dir_all(&directory).map_err(failed)?;
    let directory = directory.canonicalize().map_err(failed)?;
    if std::fs::read_dir(&directory).map_err(failed)?.next().is_some() {
        return Err(DemoError::DirectoryInUse(directory));
    }
    Ok(directory)
}
