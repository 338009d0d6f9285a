//! Binding addresses and accepting from them.

use crate::config::{Address, ListenUrl};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::FileTypeExt,
    path::Path,
};
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

/// Connections that the system may keep until they are accepted.
const BACKLOG: u32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}: {reason}; is another server running there?")]
pub struct BindError {
    address: Address,
    #[source]
    reason: io::Error,
}

/// Options of sockets.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    /// Set SO_REUSEPORT. SO_REUSEADDR is always set on TCP, as Go sets it.
    pub reuse_port: bool,
}

/// A bound address: one socket, or one a family for `localhost`.
#[derive(Debug)]
pub struct Listener {
    /// The address.
    pub address: Address,
    /// Is TLS spoken?
    pub speaks: Speaks,
    pub(super) sockets: Vec<Socket>,
}

/// What is spoken at an address. One address may stand in the list with both schemes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// Plain only.
    Plain,
    /// TLS only.
    Tls,
    /// Either, by the first byte of a connection.
    Both,
}

/// A socket that accepts.
#[derive(Debug)]
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// An accepted connection, not yet tied to a runtime.
#[derive(Debug)]
pub(super) enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    /// Binds every address once. A socket file that an earlier process left is replaced.
    ///
    /// # Errors
    /// An address is taken or not ours.
    pub async fn bind(urls: &[ListenUrl], options: SocketOptions) -> Result<Vec<Listener>, BindError> {
        let mut listeners: Vec<Listener> = Vec::with_capacity(urls.len());
        for url in urls {
            let speaks = if url.secure { Speaks::Tls } else { Speaks::Plain };
            match listeners.iter_mut().find(|listener| listener.address == url.address) {
                Some(listener) if listener.speaks != speaks => listener.speaks = Speaks::Both,
                Some(_) => {}
                None => {
                    let address = url.address.clone();
                    let bound = sockets(&address, options);
                    let sockets = bound.map_err(|reason| BindError { address: address.clone(), reason })?;
                    listeners.push(Listener { address, speaks, sockets });
                }
            }
        }
        Ok(listeners)
    }
}

fn sockets(address: &Address, options: SocketOptions) -> io::Result<Vec<Socket>> {
    let tcp = |ip: IpAddr, port| listen(SocketAddr::new(ip, port), options);
    match address {
        Address::Tcp(ip, port) => Ok(vec![Socket::Tcp(tcp(*ip, *port)?)]),
        Address::Unix(path) => {
            remove_stale(path)?;
            Ok(vec![Socket::Unix(UnixListener::bind(path)?)])
        }
        Address::Localhost(port) => {
            let first = tcp(Ipv4Addr::LOCALHOST.into(), *port)?;
            let port = first.local_addr()?.port();
            // A client may resolve localhost to either family. A machine may be without the second, or have it taken.
            let second = tcp(Ipv6Addr::LOCALHOST.into(), port)
                .inspect_err(|error| tracing::debug!(%error, port, "localhost is not served on ::1"));
            Ok([Some(first), second.ok()].into_iter().flatten().map(Socket::Tcp).collect())
        }
    }
}

fn listen(address: SocketAddr, options: SocketOptions) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(options.reuse_port)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Socket {
    /// Waits for the next connection.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Socket::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                stream.into_std().map(Accepted::Tcp)
            }
            Socket::Unix(listener) => listener.accept().await?.0.into_std().map(Accepted::Unix),
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
