//! The command line's way to a running site.

use hyper_util::rt::TokioIo;
use std::io;
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

/// Why the site could not be asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody serves the socket.
    #[error(
        "no site serves {path}: {source}; start it with `archipel --name NAME --data-dir DIR`, \
         or say where it runs with --data-dir DIR or --admin-socket PATH"
    )]
    NotServed {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket is somebody else's.
    #[error("{0} belongs to another user; run this command as the user that runs the site")]
    NotOwner(PathBuf),
    /// HTTP/2 failed.
    #[error("the site behind {path} does not answer: {reason}; look at its log")]
    Channel {
        /// The socket.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// A channel to the site that serves the socket `path`.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(path: &Path) -> Result<Channel, ConnectError> {
    let stream = UnixStream::connect(path).await.map_err(|source| match source.kind() {
        io::ErrorKind::PermissionDenied => ConnectError::NotOwner(path.to_owned()),
        _ => ConnectError::NotServed { path: path.to_owned(), source },
    })?;
    let mut once = Some(TokioIo::new(stream));
    Endpoint::from_static("http://admin.archipel")
        .connect_with_connector(service_fn(move |_| {
            let stream = once.take().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected));
            async move { stream }
        }))
        .await
        .map_err(|e| ConnectError::Channel { path: path.to_owned(), reason: e.to_string() })
}
