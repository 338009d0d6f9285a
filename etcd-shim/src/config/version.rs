//! The versions that clients see.

/// The etcd release whose interface is served; clients switch features on by it (consistent reads from the cache of
/// kube-apiserver need at least 3.5.13).
pub const ETCD_VERSION: &str = "3.7.3";
/// The cluster version of that release.
pub const ETCD_CLUSTER_VERSION: &str = "3.7.0";
/// Its storage version.
pub const ETCD_STORAGE_VERSION: &str = "3.7.0";

/// What `--version` prints. The first line is etcd's, because scripts parse it.
#[must_use]
pub fn version_lines() -> String {
    format!(
        "etcd Version: {ETCD_VERSION}\narchipel Version: {}\nOS/Arch: {}/{}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    )
}
