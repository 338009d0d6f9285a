//! The admin socket: a file in the data directory, for its owner only.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tracing::warn;

/// Name of the socket in the data directory.
pub const SOCKET_FILE: &str = "admin.sock";
/// Longest path of a socket that Linux takes (`sun_path` with its closing zero).
const PATH_BYTES_MAX: usize = 107;

/// Why the socket cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Longer than the system takes.
    #[error(
        "the admin socket's path {path} is {length} bytes long, the system takes {PATH_BYTES_MAX}; \
         use a shorter --data-dir, or name a shorter path with --admin-socket"
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// Another process serves it.
    #[error("{0} is served by another process: a site runs on this data directory already; stop it first")]
    InUse(PathBuf),
    /// Something else is there.
    #[error("{0} is there and is no socket; remove it or name another path with --admin-socket")]
    NoSocket(PathBuf),
    /// The file system refused.
    #[error("the admin socket {path} cannot be made: {source}; check the owner and rights of its directory")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The socket's path: `explicit`, or the one in `data_dir`.
///
/// # Errors
/// It is too long.
pub fn socket_path(data_dir: &Path, explicit: Option<&Path>) -> Result<PathBuf, SocketError> {
    let path = explicit.map_or_else(|| data_dir.join(SOCKET_FILE), Path::to_owned);
    let length = path.as_os_str().len();
    if length > PATH_BYTES_MAX { Err(SocketError::TooLong { path, length }) } else { Ok(path) }
}

/// Binds the socket. One that a dead process left is replaced.
///
/// # Errors
/// See [`SocketError`].
pub(crate) fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NoSocket(path.to_owned())),
        Ok(_) if BlockingStream::connect(path).is_ok() => return Err(SocketError::InUse(path.to_owned())),
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    // Between these two lines the socket has the process's umask; `is_owner` closes that gap.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// True if whoever is at the other end is the user of this process, or root.
pub(crate) fn is_owner(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(credentials) if credentials.uid() == own || credentials.uid() == 0 => true,
        Ok(credentials) => {
            warn!(uid = credentials.uid(), "a connection of another user to the admin socket was refused");
            false
        }
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_a_stale_one_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket_path(dir.path(), None).unwrap();
        let first = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(bind(&path), Err(SocketError::InUse(_))));
        drop(first);
        bind(&path).unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(bind(&file), Err(SocketError::NoSocket(_))));
        let long = dir.path().join("x".repeat(PATH_BYTES_MAX));
        let error = socket_path(&long, None).unwrap_err().to_string();
        assert!(error.contains("--admin-socket"), "{error}");
        assert!(socket_path(&long, Some(&file)).is_ok());
    }
}
