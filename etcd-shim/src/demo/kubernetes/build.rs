//! Builds the Kubernetes programs and kwok from their published Go modules, once, into the user's cache folder.
//!
//! What is built is fixed by `module/go.mod` and `module/go.sum`, which are embedded here; Go verifies every download
//! against them. A build goes into a folder of its own and is renamed when complete, under a file lock: a second process
//! waits and then finds the programs.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::process::{Process, ProcessError, log_tail};
use super::progress::Progress;
use super::versions::{KUBERNETES_VERSION, KWOK_VERSION};

const GO_MOD: &str = include_str!("module/go.mod");
const GO_SUM: &str = include_str!("module/go.sum");

/// How often the build is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why nothing was built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// There is no Go to build with.
    #[error(
        "building the Kubernetes programs needs `go` on PATH: install Go 1.26 or newer, or name a folder that holds the programs with --kubernetes-bin"
    )]
    GoMissing,
    /// Neither `XDG_CACHE_HOME` nor `HOME` is set.
    #[error(
        "no cache folder: set XDG_CACHE_HOME or HOME, or name a folder that holds the programs with --kubernetes-bin"
    )]
    NoCacheFolder,
    /// The cache folder cannot be written.
    #[error("{path}: {source}; free some space or check the permissions")]
    File { path: PathBuf, source: std::io::Error },
    /// `go` failed.
    #[error("`go` could not build {what} ({why}); the end of {log}:\n{tail}")]
    Failed { what: String, why: String, log: PathBuf, tail: String },
    /// `go` could not be started.
    #[error(transparent)]
    Start(#[from] ProcessError),
}

/// One thing that can be built: where it ends up, and how Go is asked for it.
struct Recipe {
    what: &'static str,
    directory: String,
    programs: &'static [&'static str],
    /// Makes the `go` command; the arguments are the folder of the module's files and the folder of the outcome.
    command: fn(&Path, &Path) -> Command,
}

/// The folder that holds kube-apiserver, kube-controller-manager, kube-scheduler and kubectl, built if need be.
pub(crate) async fn kubernetes() -> Result<PathBuf, BuildError> {
    provide(&Recipe {
        what: "kube-apiserver, kube-controller-manager, kube-scheduler and kubectl",
        directory: format!("{KUBERNETES_VERSION}-{}", platform()),
        programs: &super::binaries::KUBERNETES_PROGRAMS,
        command: kubernetes_command,
    })
    .await
}

/// The folder that holds kwok, built if need be. It is not built with the others: it needs a newer gRPC than they do.
pub(crate) async fn kwok() -> Result<PathBuf, BuildError> {
    provide(&Recipe {
        what: "kwok",
        directory: format!("kwok-{KWOK_VERSION}-{}", platform()),
        programs: &[super::binaries::KWOK_PROGRAM],
        command: kwok_command,
    })
    .await
}

fn kubernetes_command(module: &Path, outcome: &Path) -> Command {
    // The version is normally stamped by Kubernetes' own build scripts; without it the programs call themselves v0.0.0.
    const STAMP: &str = "k8s.io/component-base/version";
    let minor = KUBERNETES_VERSION.split('.').nth(1).unwrap_or_default();
    let mut command = go(module);
    command
        .args(["build", "-v", "-trimpath", "-ldflags"])
        .arg(format!(
            "-s -w -X {STAMP}.gitVersion={KUBERNETES_VERSION} -X {STAMP}.gitMajor=1 -X {STAMP}.gitMinor={minor}"
        ))
        .arg("-o")
        // The slash makes it a folder: one program for each tool of the module.
        .arg(outcome.join(""))
        .arg("tool");
    command
}

fn kwok_command(module: &Path, outcome: &Path) -> Command {
    let mut command = go(module);
    command
        .env("GOBIN", outcome)
        .args(["install", "-v", "-trimpath", "-ldflags", "-s -w"])
        .arg(format!("sigs.k8s.io/kwok/cmd/kwok@{KWOK_VERSION}"));
    command
}

fn go(module: &Path) -> Command {
    let mut command = Command::new("go");
    // A workspace or a cross-compilation of the user must not change what is built.
    command.current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
    command
}

async fn provide(recipe: &Recipe) -> Result<PathBuf, BuildError> {
    let cache = cache_folder()?.join("archipel").join("kubernetes");
    let ready = cache.join(&recipe.directory);
    if complete(&ready, recipe) {
        return Ok(ready);
    }
    if Command::new("go").arg("version").output().is_err() {
        return Err(BuildError::GoMissing);
    }
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::File { path, source }
    };
    std::fs::create_dir_all(&cache).map_err(file(&cache))?;
    let progress = Progress::new(format!("building {} (once)", recipe.what));
    let lock_path = cache.join(format!("{}.lock", recipe.directory));
    let lock = File::create(&lock_path).map_err(file(&lock_path))?;
    while let Err(error) = lock.try_lock() {
        match error {
            TryLockError::WouldBlock => progress.update("another archipel is building them"),
            TryLockError::Error(source) => return Err(BuildError::File { path: lock_path, source }),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if complete(&ready, recipe) {
        progress.finish("built by another archipel");
        return Ok(ready);
    }
    // Under the lock whatever is there was left by a build that was interrupted.
    let building = cache.join(format!("{}.building", recipe.directory));
    for leftover in [&building, &ready] {
        if leftover.exists() {
            std::fs::remove_dir_all(leftover).map_err(file(leftover))?;
        }
    }
    let module = building.join("module");
    std::fs::create_dir_all(&module).map_err(file(&module))?;
    std::fs::write(module.join("go.mod"), GO_MOD).map_err(file(&module))?;
    std::fs::write(module.join("go.sum"), GO_SUM).map_err(file(&module))?;
    build(recipe, &module, &building, &progress).await?;
    std::fs::rename(&building, &ready).map_err(file(&ready))?;
    progress.finish(&format!("done, in {}", ready.display()));
    Ok(ready)
}

async fn build(recipe: &Recipe, module: &Path, building: &Path, progress: &Progress) -> Result<(), BuildError> {
    let log = building.join("build.log");
    let process = Process::start("go", (recipe.command)(module, building), &log)?;
    let status = loop {
        if let Some(status) = process.exited() {
            break status;
        }
        progress.update(&where_it_is(&log));
        tokio::time::sleep(LOOK_EVERY).await;
    };
    let why = if status.success() && complete(building, recipe) {
        return Ok(());
    } else if status.success() {
        "a program is missing from the outcome".to_owned()
    } else {
        status.to_string()
    };
    Err(BuildError::Failed { what: recipe.what.to_owned(), why, tail: log_tail(&log), log })
}

/// What the log of `go build -v` says: a line a module while it downloads, then a line a package that was compiled.
fn where_it_is(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let (downloads, packages): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.starts_with("go: downloading"));
    match packages.last() {
        Some(package) => format!("{} packages compiled, last {package}", packages.len()),
        None => format!("{} modules downloaded", downloads.len()),
    }
}

fn complete(directory: &Path, recipe: &Recipe) -> bool {
    recipe.programs.iter().all(|program| directory.join(program).is_file())
}

/// The folder for things that can be made again, by the XDG base directory specification: a relative path is ignored.
fn cache_folder() -> Result<PathBuf, BuildError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or(BuildError::NoCacheFolder)
}

fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_module_requires_the_version_that_we_name() {
        assert!(GO_MOD.contains(&format!("\tk8s.io/kubernetes {KUBERNETES_VERSION} ")));
        for program in super::super::binaries::KUBERNETES_PROGRAMS {
            assert!(GO_MOD.contains(&format!("\tk8s.io/kubernetes/cmd/{program}\n")), "{program} is a tool");
        }
        assert!(GO_SUM.contains(&format!("k8s.io/kubernetes {KUBERNETES_VERSION} h1:")));
    }

    #[test]
    fn progress_reads_go_s_own_log() {
        let log = std::env::temp_dir().join(format!("archipel-build-{}.log", std::process::id()));
        std::fs::write(&log, "go: downloading a v1\ngo: downloading b v2\n").unwrap();
        assert_eq!(where_it_is(&log), "2 modules downloaded");
        std::fs::write(&log, "go: downloading a v1\nunsafe\nk8s.io/api/core/v1\n").unwrap();
        assert_eq!(where_it_is(&log), "2 packages compiled, last k8s.io/api/core/v1");
        std::fs::remove_file(log).unwrap();
    }
}
