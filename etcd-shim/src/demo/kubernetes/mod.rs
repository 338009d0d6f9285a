//! A real Kubernetes control plane of one site, on loopback addresses: the four Kubernetes programs built from their
//! published Go modules (or found on the machine), with fake nodes whose pods become Running.
//!
//! Used by `archipel demo` and by the control-plane tests.
//!
//! # Invariants
//! - Every address is a loopback address; every file is below the directory that the caller names (the built programs
//!   are in the user's cache folder).
//! - A program that was started here is stopped when its [`Process`] is dropped, and on Ctrl-C.
//!
//! # Not here
//! No container, no kubelet, no pod network: a pod is a line in the API that a fake node reports as Running.

mod api;
mod binaries;
mod build;
mod certificates;
mod kubectl;
mod launcher;
mod nodes;
mod ports;
mod process;
mod progress;
mod versions;
mod wait;

pub use api::{Api, ApiError};
pub use binaries::{Binaries, BinariesError};
pub use build::BuildError;
pub use kubectl::{Kubectl, KubectlError};
pub use launcher::{ControlPlane, ControlPlaneConfig, LaunchError, StorageEncoding};
pub use ports::free_port;
pub use process::{Process, ProcessError, on_signal_exit_with, stop_everything_on_signals};
pub use progress::Progress;
pub use versions::{KUBERNETES_VERSION, KWOK_VERSION};
pub use wait::{eventually, eventually_within};
