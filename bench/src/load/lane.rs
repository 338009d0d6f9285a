//! One socket and the clients whose calls it carries.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::SocketAddr;
use std::time::Instant;

use mio::{Interest, Registry, Token};

use crate::wire::{Arrival, Connection, WireError};
use crate::workload::Client;

/// What came from a server's socket at once.
pub(super) enum Taken {
    /// The socket is empty for now.
    All,
    /// The server closed it.
    Closed,
}

pub(super) struct Slot {
    pub(super) client: Box<dyn Client>,
    pub(super) asked_at: Instant,
    /// What the parts of the reply to the last request were worth so far.
    pub(super) parts: u64,
}

pub(super) struct Lane {
    socket: mio::net::TcpStream,
    pub(super) connection: Connection,
    /// The number of the clients' group.
    pub(super) group: usize,
    pub(super) started: bool,
    pub(super) clients: Vec<Slot>,
    pub(super) in_flight: usize,
}

impl Lane {
    /// Connects and registers; events carry `number`.
    pub(super) fn open(
        address: SocketAddr,
        registry: &Registry,
        number: usize,
        group: usize,
        clients: Vec<Box<dyn Client>>,
    ) -> Result<Lane> {
        let socket = std::net::TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = mio::net::TcpStream::from_std(socket);
        registry.register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let asked_at = Instant::now();
        let clients = clients.into_iter().map(|client| Slot { client, asked_at, parts: 0 }).collect();
        let connection = Connection::new(&address.to_string());
        Ok(Lane { socket, connection, group, started: false, clients, in_flight: 0 })
    }

    /// Takes everything that is there.
    pub(super) fn take(
        &mut self,
        buffer: &mut [u8],
        arrivals: &mut Vec<Arrival>,
    ) -> Result<std::result::Result<Taken, WireError>> {
        loop {
            let count = match self.socket.read(buffer) {
                Ok(0) => return Ok(Ok(Taken::Closed)),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Ok(Taken::All)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if let Err(error) = self.connection.receive(buffer.get(..count).unwrap_or_default(), arrivals) {
                return Ok(Err(error));
            }
            // A short read means that the socket is empty; what comes later is a new event.
            if count < buffer.len() {
                return Ok(Ok(Taken::All));
            }
        }
    }

    /// Writes as much as the socket takes; the next writable event brings us back for the rest.
    pub(super) fn flush(&mut self) -> Result<()> {
        let output = self.connection.output();
        let mut written = 0;
        let outcome = loop {
            let rest = output.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.socket.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        output.drain(..written);
        outcome
    }
}
