//! The versions that clients see.

/// The etcd release whose interface is served; clients switch features on by it (consistent reads from the cache of
/// kube-apiserver need at least 3.5.13).
pub const ETCD_VERSION: &str = "3.7.3";
/// The cluster version of that release.
pub const ETCD_CLUSTER_VERSION: &str = "3.7.0";
/// The cluster version as replies and metrics name it: major and minor.
pub const ETCD_CLUSTER_SERIES: &str = "3.7";
/// Its storage version.
pub const ETCD_STORAGE_VERSION: &str = "3.7.0";

/// What `--version` prints: etcd's four lines, which scripts and test frameworks parse, and ours.
#[must_use]
pub fn version_lines() -> String {
    let (os, machine) = (std::env::consts::OS, std::env::consts::ARCH);
    let machine = match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!(
        "etcd Version: {ETCD_VERSION}\nGit SHA: none\nGo Version: none\nGo OS/Arch: {os}/{machine}\narchipel Version: {}\n",
        env!("CARGO_PKG_VERSION"),
    )
}
