//! Builds etcd from its published Go module, once, into the user's cache folder.
//!
//! What is built is fixed by `module/go.mod` and `module/go.sum`, which are embedded here; Go verifies every download
//! against them. A build goes into a folder of its own and is renamed when it is complete.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use archipel::demo::kubernetes::{Process, ProcessError, Progress};

/// The version that the goals are set against.
const VERSION: &str = "v3.7.3";
const PACKAGE: &str = "go.etcd.io/etcd/server/v3";
const GO_MOD: &str = include_str!("module/go.mod");
const GO_SUM: &str = include_str!("module/go.sum");
/// How often the build is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why there is no etcd.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    #[error("building etcd needs `go` on PATH: install Go 1.26 or newer, or name an etcd with --etcd PATH")]
    GoMissing,
    #[error("no cache folder: set XDG_CACHE_HOME or HOME, or name an etcd with --etcd PATH")]
    NoCacheFolder,
    #[error("{path}: {source}; free some space or check the permissions")]
    File { path: PathBuf, source: std::io::Error },
    #[error("`go build` of etcd failed; see {log}, or name an etcd with --etcd PATH")]
    Failed { log: PathBuf },
    #[error(transparent)]
    Start(#[from] ProcessError),
}

/// Where the built program is, or would be.
pub(super) fn place() -> Result<PathBuf, BuildError> {
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    Ok(cache_folder()?.join("etcd").join(format!("{VERSION}-{platform}")).join("etcd"))
}

/// The built program; builds it when it is not there.
pub(super) fn provide() -> Result<PathBuf, BuildError> {
    let program = place()?;
    if program.is_file() {
        return Ok(program);
    }
    if Command::new("go").arg("version").output().is_err() {
        return Err(BuildError::GoMissing);
    }
    let ready = program.parent().expect("invariant: the place has a folder of its own");
    // A folder for each process: of two that build at once, the later one uses what the earlier one has made.
    let building = ready.with_extension(format!("building-{}", std::process::id()));
    std::fs::create_dir_all(&building).map_err(at(&building))?;
    std::fs::write(building.join("go.mod"), GO_MOD).map_err(at(&building))?;
    std::fs::write(building.join("go.sum"), GO_SUM).map_err(at(&building))?;
    build(&building)?;
    if let Err(source) = std::fs::rename(&building, ready)
        && !program.is_file()
    {
        return Err(BuildError::File { path: ready.to_owned(), source });
    }
    let _ = std::fs::remove_dir_all(&building);
    Ok(program)
}

fn build(building: &Path) -> Result<(), BuildError> {
    let progress = Progress::new(format!("building etcd {VERSION} (once)"));
    let log = building.join("build.log");
    let mut command = Command::new("go");
    // A workspace or a cross-compilation of the user must not change what is built.
    command.current_dir(building).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
    command.args(["build", "-v", "-trimpath", "-ldflags", "-s -w", "-o", "etcd", PACKAGE]);
    let process = Process::start("go", command, &log)?;
    let status = loop {
        if let Some(status) = process.exited() {
            break status;
        }
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        progress.update(text.lines().last().unwrap_or("starting"));
        std::thread::sleep(LOOK_EVERY);
    };
    if status.success() && building.join("etcd").is_file() {
        progress.finish("done");
        return Ok(());
    }
    progress.finish("failed");
    Err(BuildError::Failed { log })
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::File { path: path.clone(), source }
}

/// The folder for things that can be made again, by the XDG base directory specification: a relative path is ignored.
fn cache_folder() -> Result<PathBuf, BuildError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    Ok(cache.ok_or(BuildError::NoCacheFolder)?.join("archipel"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_module_fixes_the_version_that_we_name() {
        assert!(GO_MOD.contains(&format!("tool {PACKAGE}\n")));
        assert!(GO_MOD.contains(&format!("{PACKAGE} {VERSION} ")));
        assert!(GO_SUM.contains(&format!("{PACKAGE} {VERSION} h1:")));
    }
}
