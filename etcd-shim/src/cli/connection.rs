//! How a verb finds the site that it speaks to.

use crate::admin::grpc::{ConnectError, SocketError, connect, socket_path};
use crate::snapshot::SnapshotError;
use archipel_store::inspect::InspectError;
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use thiserror::Error;
use tonic::Status;
use tonic::transport::Channel;

/// Bad use of the command line (sysexits' EX_USAGE).
pub(crate) const EXIT_USAGE: u8 = 64;
/// The verb failed.
pub(crate) const EXIT_FAILURE: u8 = 1;
/// The verb worked, and says that not everything is well.
pub(crate) const EXIT_DEGRADED: u8 = 2;

/// Which site.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// The data directory of the site; default: NAME.etcd in this directory.
    #[arg(long, env = "ARCHIPEL_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The name of the site.
    #[arg(long, env = "ARCHIPEL_NAME", default_value = "default")]
    pub name: String,
    /// The site's admin socket; default: admin.sock in its data directory.
    #[arg(long, env = "ARCHIPEL_ADMIN_SOCKET", value_name = "PATH")]
    pub admin_socket: Option<PathBuf>,
}

/// Why a verb failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VerbError {
    /// The socket's path.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The site does not answer.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The site refused; its text says what to do.
    #[error("{}", .0.message())]
    Refused(#[from] Status),
    /// A snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A stopped site's data directory.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The runtime.
    #[error("the runtime did not start: {0}")]
    Runtime(#[source] std::io::Error),
    /// The token could not be read.
    #[error("the token cannot be read from standard input: {0}")]
    Stdin(#[source] std::io::Error),
}

/// The data directory of a site that is stopped.
pub(crate) fn offline_dir(data_dir: Option<PathBuf>, name: &str) -> PathBuf {
    data_dir.unwrap_or_else(|| PathBuf::from(format!("{name}.etcd")))
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Nobody serves the socket.
    pub(crate) async fn open(&self) -> Result<Channel, VerbError> {
        let data_dir = offline_dir(self.data_dir.clone(), &self.name);
        let path = socket_path(&data_dir, self.admin_socket.as_deref())?;
        Ok(connect(&path).await?)
    }
}

/// Runs a verb and turns its outcome into the process's exit code.
pub(crate) fn run_verb(verb: impl Future<Output = Result<ExitCode, VerbError>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(VerbError::Runtime);
    match runtime.and_then(|runtime| runtime.block_on(verb)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("archipel: {error}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}
