//! Which programs are compared, and how each is told to serve.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::etcd::{self, BuildError};

/// Quota of both, so that neither stops at its default in a long run.
const QUOTA_BYTES: &str = "8589934592";

/// Why there is no program to compare.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FindError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("{0} is not there; build it with `cargo build --release -p archipel`, or name it with --archipel PATH")]
    NoArchipel(PathBuf),
    #[error("`{program} --version` failed: {why}; check the path")]
    Version { program: PathBuf, why: String },
    #[error("cannot find the folder of this program: {0}; name the server with --archipel PATH")]
    Own(std::io::Error),
    #[error("`cargo build` of archipel failed ({0}); see above, or name the server with --archipel PATH")]
    Cargo(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Etcd,
    Archipel,
    Kine,
    Null,
}

/// A program that can be started.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    kind: Kind,
    pub(crate) path: PathBuf,
    /// The line of its `--version` that names it, or what it is going to be when it is not built yet.
    pub(crate) version: String,
}

/// etcd at `path`, or the one in the cache folder, which is built at the first use (not in a `rehearsal`).
///
/// # Errors
/// [`FindError::Build`] and [`FindError::Version`].
pub(crate) fn etcd(path: Option<&Path>, rehearsal: bool) -> Result<Found, FindError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None if rehearsal => etcd::place()?,
        None => etcd::provide()?,
    };
    found(Kind::Etcd, path, rehearsal.then_some("etcd, to be built"))
}

/// Archipel at `path`, or the one beside this program; under `cargo run` it is built first (not in a `rehearsal`), so
/// that what is measured is the source as it stands.
///
/// # Errors
/// [`FindError::NoArchipel`], [`FindError::Cargo`] and [`FindError::Version`].
pub(crate) fn archipel(path: Option<&Path>, rehearsal: bool) -> Result<Found, FindError> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => {
            let own = std::env::current_exe().map_err(FindError::Own)?;
            if let (Some(cargo), false) = (std::env::var_os("CARGO"), rehearsal) {
                build_beside(&own, &cargo)?;
            }
            own.with_file_name("archipel")
        }
    };
    if !path.is_file() && !rehearsal {
        return Err(FindError::NoArchipel(path));
    }
    found(Kind::Archipel, path, rehearsal.then_some("archipel, to be built"))
}

/// kine at `path`; it is never built.
///
/// # Errors
/// [`FindError::Version`].
pub(crate) fn kine(path: &Path) -> Result<Found, FindError> {
    found(Kind::Kine, path.to_owned(), None)
}

/// This program as the null server.
///
/// # Errors
/// [`FindError::Own`].
pub(crate) fn null() -> Result<Found, FindError> {
    let path = std::env::current_exe().map_err(FindError::Own)?;
    Ok(Found { kind: Kind::Null, path, version: "the same transport with canned replies: the limit".to_owned() })
}

/// Builds archipel into the folder of `own`, with the profile that the folder is named after.
fn build_beside(own: &Path, cargo: &OsStr) -> Result<(), FindError> {
    let failed = |why: &dyn std::fmt::Display| FindError::Cargo(why.to_string());
    let folders = own.parent().and_then(|folder| Some((folder.parent()?, folder.file_name()?)));
    let (target, folder) = folders.ok_or_else(|| failed(&"this program is in no target folder"))?;
    let profile = if folder == "debug" { OsStr::new("dev") } else { folder };
    let mut command = Command::new(cargo);
    command.args(["build", "--package", "archipel", "--bin", "archipel", "--profile"]).arg(profile);
    // What `cargo run` has set for us would tell build scripts that their surroundings changed, and rebuild them.
    for (name, _) in std::env::vars_os().filter(|(name, _)| set_by_cargo_run(name)) {
        command.env_remove(name);
    }
    let status = command.arg("--target-dir").arg(target).status().map_err(|error| failed(&error))?;
    if status.success() { Ok(()) } else { Err(failed(&status)) }
}

/// Whether cargo sets this variable for the program that it runs (The Cargo Book, environment variables), as opposed to
/// those by which a user configures cargo.
fn set_by_cargo_run(name: &OsStr) -> bool {
    let name = name.to_str().unwrap_or_default();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_CRATE_NAME"
}

fn found(kind: Kind, path: PathBuf, when_absent: Option<&str>) -> Result<Found, FindError> {
    if let Some(version) = when_absent.filter(|_| !path.is_file()) {
        return Ok(Found { kind, path, version: version.to_owned() });
    }
    let failed = |why: String| FindError::Version { program: path.clone(), why };
    let output = Command::new(&path).arg("--version").output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let version = own_version(kind, &String::from_utf8_lossy(&output.stdout));
    Ok(Found { kind, path, version })
}

/// The line that names the program; Archipel's first one names the etcd version whose behaviour it has.
fn own_version(kind: Kind, text: &str) -> String {
    let named = |line: &&str| kind == Kind::Archipel && line.starts_with("archipel ");
    let line = text.lines().find(named).or_else(|| text.lines().next());
    line.unwrap_or_default().trim().to_owned()
}

impl Found {
    /// A short name for tables.
    pub(crate) fn name(&self) -> &'static str {
        match self.kind {
            Kind::Etcd => "etcd",
            Kind::Archipel => "archipel",
            Kind::Kine => "kine",
            Kind::Null => "null",
        }
    }

    /// It stores nothing: it shows what no server can go below.
    pub(crate) fn is_limit(&self) -> bool {
        self.kind == Kind::Null
    }

    /// The command line for serving `client_port` from `data`. Durability is at its default, which is on for etcd and
    /// Archipel; kine's is what SQLite does in its journal mode.
    pub(super) fn arguments(&self, data: &Path, client_port: u16, peer_port: u16) -> Vec<OsString> {
        let client = format!("127.0.0.1:{client_port}");
        match self.kind {
            Kind::Null => vec!["null".into(), client.into()],
            Kind::Kine => {
                let mut endpoint = OsString::from("sqlite://");
                endpoint.push(data.join("state.db"));
                endpoint.push("?_journal=WAL&cache=shared&_busy_timeout=30000");
                vec!["--endpoint".into(), endpoint, "--listen-address".into(), client.into()]
            }
            Kind::Etcd | Kind::Archipel => self.arguments_of_etcd(data, &client, peer_port),
        }
    }

    fn arguments_of_etcd(&self, data: &Path, client: &str, peer_port: u16) -> Vec<OsString> {
        let client = format!("http://{client}");
        let peer = format!("http://127.0.0.1:{peer_port}");
        let cluster = format!("bench={peer}");
        let mut arguments: Vec<OsString> = vec!["--name".into(), "bench".into(), "--data-dir".into(), data.into()];
        let mut add = |more: &[(&str, &str)]| {
            arguments.extend(more.iter().flat_map(|(flag, value)| [OsString::from(flag), value.into()]));
        };
        add(&[("--listen-client-urls", &client), ("--advertise-client-urls", &client)]);
        add(&[("--log-level", "warn"), ("--quota-backend-bytes", QUOTA_BYTES)]);
        if self.kind == Kind::Etcd {
            add(&[
                ("--listen-peer-urls", &peer),
                ("--initial-advertise-peer-urls", &peer),
                ("--initial-cluster", &cluster),
            ]);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_names_itself() {
        let text = "etcd Version: 3.7.3\narchipel Version: 0.1.0\nOS/Arch: linux/x86_64\n";
        assert_eq!(own_version(Kind::Archipel, text), "archipel Version: 0.1.0");
        assert_eq!(own_version(Kind::Etcd, text), "etcd Version: 3.7.3");
        assert_eq!(own_version(Kind::Archipel, "1.0\n"), "1.0");
    }
}
