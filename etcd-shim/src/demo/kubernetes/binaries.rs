//! Which Kubernetes programs are used: those of `--kubernetes-bin`, those on `PATH`, or built ones.
//!
//! Next: [`super::build`] makes what is missing.

use std::path::{Path, PathBuf};

use super::build::{self, BuildError};
use super::versions::{kubernetes_supported, kwok_supported, version_in};

/// The programs of Kubernetes itself, in the order in which the cache folder lists them.
pub(crate) const KUBERNETES_PROGRAMS: [&str; 4] =
    ["kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"];
/// The program that plays the nodes.
pub(crate) const KWOK_PROGRAM: &str = "kwok";

/// The programs that a control plane consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    /// The folder of kube-apiserver, kube-controller-manager, kube-scheduler and kubectl.
    kubernetes: PathBuf,
    /// The folder of kwok.
    kwok: PathBuf,
}

/// Why there are no programs to start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinariesError {
    /// `--kubernetes-bin` names a folder that does not hold what is needed.
    #[error("{directory}: {why}; it must hold {} and {KWOK_PROGRAM}, Kubernetes v1.36 and kwok v0.8", KUBERNETES_PROGRAMS.join(", "))]
    Unusable { directory: PathBuf, why: String },
    /// They could not be built.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl Binaries {
    /// Finds the programs, and builds them into the user's cache folder when the machine has none (minutes, once, with
    /// progress on standard error). `directory` is `--kubernetes-bin`: when given, nothing else is looked at.
    ///
    /// # Errors
    /// [`BinariesError::Unusable`] when `directory` lacks a program or holds one of another version, and
    /// [`BinariesError::Build`].
    pub async fn find(directory: Option<&Path>) -> Result<Binaries, BinariesError> {
        if let Some(directory) = directory {
            return Binaries::in_directory(directory);
        }
        let kubernetes = match on_path(&KUBERNETES_PROGRAMS, kubernetes_supported) {
            Some(found) => found,
            None => build::kubernetes().await?,
        };
        let kwok = match on_path(&[KWOK_PROGRAM], kwok_supported) {
            Some(found) => found,
            None => build::kwok().await?,
        };
        Ok(Binaries { kubernetes, kwok })
    }

    fn in_directory(directory: &Path) -> Result<Binaries, BinariesError> {
        let unusable = |why| BinariesError::Unusable { directory: directory.to_owned(), why };
        // The programs are started in other working directories.
        let directory = directory.canonicalize().map_err(|error| unusable(error.to_string()))?;
        all_supported(&directory, &KUBERNETES_PROGRAMS, kubernetes_supported).map_err(unusable)?;
        all_supported(&directory, &[KWOK_PROGRAM], kwok_supported).map_err(unusable)?;
        Ok(Binaries { kubernetes: directory.clone(), kwok: directory })
    }

    /// The path of `kube-apiserver`.
    pub fn kube_apiserver(&self) -> PathBuf {
        self.kubernetes.join("kube-apiserver")
    }

    /// The path of `kube-controller-manager`.
    pub fn kube_controller_manager(&self) -> PathBuf {
        self.kubernetes.join("kube-controller-manager")
    }

    /// The path of `kube-scheduler`.
    pub fn kube_scheduler(&self) -> PathBuf {
        self.kubernetes.join("kube-scheduler")
    }

    /// The path of `kubectl`.
    pub fn kubectl(&self) -> PathBuf {
        self.kubernetes.join("kubectl")
    }

    /// The path of `kwok`.
    pub fn kwok(&self) -> PathBuf {
        self.kwok.join(KWOK_PROGRAM)
    }
}

/// The folder on `PATH` that holds all of `programs` in supported versions. They must stand together: a mixture of two
/// installations is what nobody has tested.
fn on_path(programs: &[&str], supported: fn(&str) -> bool) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|directory| programs.iter().all(|program| directory.join(program).is_file()))
        .find(|directory| all_supported(directory, programs, supported).is_ok())
}

fn all_supported(directory: &Path, programs: &[&str], supported: fn(&str) -> bool) -> Result<(), String> {
    for program in programs {
        let file = directory.join(program);
        // kubectl is the one that has a verb instead of a flag, and would ask its server too.
        let question: &[&str] = if *program == "kubectl" { &["version", "--client"] } else { &["--version"] };
        let output = std::process::Command::new(&file)
            .args(question)
            .output()
            .map_err(|error| format!("{program} does not start: {error}"))?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        match version_in(&output) {
            Some(version) if supported(version) => {}
            Some(version) => return Err(format!("{program} is {version}")),
            None => return Err(format!("{program} does not tell its version")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn directory(name: &str, answers: &[(&str, &str)]) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("archipel-binaries-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        for (program, answer) in answers {
            let file = directory.join(program);
            std::fs::write(&file, format!("#!/bin/sh\necho '{answer}'\n")).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        directory
    }

    #[tokio::test]
    async fn a_named_directory_is_used_when_all_versions_fit() {
        let kubernetes = KUBERNETES_PROGRAMS.map(|program| (program, "Kubernetes v1.36.1"));
        let good = directory("good", &[&kubernetes[..], &[(KWOK_PROGRAM, "kwok version v0.8.0")]].concat());
        let found = Binaries::find(Some(&good)).await.unwrap();
        assert_eq!(found.kubectl(), good.canonicalize().unwrap().join("kubectl"));
        std::fs::remove_dir_all(good).unwrap();
    }

    #[tokio::test]
    async fn a_wrong_or_missing_program_is_named() {
        let old = directory("old", &[("kube-apiserver", "Kubernetes v1.30.0")]);
        let message = Binaries::find(Some(&old)).await.unwrap_err().to_string();
        assert!(message.contains("kube-apiserver is v1.30.0") && message.contains("kwok"), "{message}");
        let current = directory("missing", &[("kube-apiserver", "Kubernetes v1.36.3")]);
        let message = Binaries::find(Some(&current)).await.unwrap_err().to_string();
        assert!(message.contains("kube-controller-manager does not start"), "{message}");
        std::fs::remove_dir_all(old).unwrap();
        std::fs::remove_dir_all(current).unwrap();
    }
}
