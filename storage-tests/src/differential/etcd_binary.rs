//! Where etcd is: named by `ARCHIPEL_ETCD`; in the cache folder, where the benchmark builds it, too; on PATH; or built from its
//! published Go module. Only the version that is the yardstick counts, unless it is named.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// The version that Archipel is compared with.
const VERSION: &str = "3.7.3";
/// The variable that names a program.
const VARIABLE: &str = "ARCHIPEL_ETCD";
const PACKAGE: &str = "go.etcd.io/etcd/server/v3";
/// What is built, with the digest of every module: the benchmark's.
const GO_MOD: &str = include_str!("../../../bench/src/server/module/go.mod");
const GO_SUM: &str = include_str!("../../../bench/src/server/module/go.sum");

/// The program; none if there is none and it cannot be built.
#[must_use]
pub fn etcd_binary() -> Option<PathBuf> {
    if let Some(named) = env::var_os(VARIABLE) {
        return Some(named.into());
    }
    let built = place();
    let on_path: Vec<PathBuf> = env::var_os("PATH")
        .map(|path| env::split_paths(&path).map(|folder| folder.join("etcd")).collect())
        .unwrap_or_default();
    let found = built.iter().chain(&on_path).find(|path| path.is_file() && is_the_version(path)).cloned();
    found.or_else(|| build(&built?).inspect_err(|error| eprintln!("etcd cannot be built: {error}")).ok())
}

/// In the user's cache folder.
fn place() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
    let platform = format!("v{VERSION}-{}-{}", env::consts::OS, env::consts::ARCH);
    Some(cache.join("archipel").join("etcd").join(platform).join("etcd"))
}

fn is_the_version(program: &Path) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).lines().next() == Some(&format!("etcd Version: {VERSION}"))
    })
}

/// Builds into a folder of its own, which is then renamed: two that build at once do not meet.
fn build(program: &Path) -> io::Result<PathBuf> {
    let ready = program.parent().ok_or_else(|| io::Error::other("no folder"))?;
    let building = ready.with_extension(format!("building-{}", std::process::id()));
    fs::create_dir_all(&building)?;
    fs::write(building.join("go.mod"), GO_MOD)?;
    fs::write(building.join("go.sum"), GO_SUM)?;
    eprintln!("building etcd {VERSION}, once; this takes some minutes");
    let status = Command::new("go")
        .current_dir(&building)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .args(["build", "-trimpath", "-ldflags", "-s -w", "-o", "etcd", PACKAGE])
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("go build: {status}")));
    }
    let renamed = fs::rename(&building, ready);
    if !program.is_file() {
        renamed?;
    }
    Ok(program.to_owned())
}
