//! Binding an address and accepting from it.

use crate::config::ListenUrl;
use std::{io, os::unix::fs::FileTypeExt, path::Path};
use thiserror::Error;
use tokio::net::{TcpListener, UnixListener};

/// An address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {url}: {reason}; is another server running there?")]
pub struct BindError {
    url: ListenUrl,
    #[source]
    reason: io::Error,
}

/// A bound address.
#[derive(Debug)]
pub enum Listener {
    /// TCP.
    Tcp(TcpListener),
    /// A socket in the file system.
    Unix(UnixListener),
}

/// An accepted connection, not yet tied to a runtime.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    /// Binds. A socket file that an earlier process left is replaced.
    ///
    /// # Errors
    /// The address is taken or not ours.
    pub async fn bind(url: &ListenUrl) -> Result<Listener, BindError> {
        let bound = match url {
            ListenUrl::Http(address) => TcpListener::bind(address).await.map(Listener::Tcp),
            ListenUrl::Unix(path) => remove_stale(path).and_then(|()| UnixListener::bind(path)).map(Listener::Unix),
        };
        bound.map_err(|reason| BindError { url: url.clone(), reason })
    }

    /// Waits for the next connection.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                stream.into_std().map(Accepted::Tcp)
            }
            Listener::Unix(listener) => listener.accept().await?.0.into_std().map(Accepted::Unix),
        }
    }
}

/// Removes a socket that nobody listens on any more.
fn remove_stale(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(io::Error::from(io::ErrorKind::AddrInUse));
            }
            std::fs::remove_file(path)
        }
        Ok(_) => Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is not a socket is in the way")),
        Err(_) => Ok(()),
    }
}
