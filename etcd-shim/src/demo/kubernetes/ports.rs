//! Free ports for programs that want to be told their port, such as kube-apiserver.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which Linux takes the source ports of outgoing connections (32768 and up): a port that we found
/// free must not be taken by some client before its server has bound it.
const PORT_FIRST: u16 = 20_000;
/// How many ports one process may draw from; two processes that run at once start in different windows.
const WINDOW_PORTS: u16 = 120;
/// How many windows lie between [`PORT_FIRST`] and the range of outgoing connections.
const WINDOW_COUNT: u32 = 100;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A loopback port that was free a moment ago and that this process has not handed out yet.
///
/// # Errors
/// [`std::io::ErrorKind::AddrInUse`] when the whole window of this process is taken.
pub fn free_port() -> std::io::Result<u16> {
    let window = u16::try_from(std::process::id() % WINDOW_COUNT).expect("invariant: WINDOW_COUNT fits in 16 bits");
    for _ in 0..WINDOW_PORTS {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed) % WINDOW_PORTS;
        let port = PORT_FIRST + window * WINDOW_PORTS + offset;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(std::io::Error::new(std::io::ErrorKind::AddrInUse, "no free loopback port between 20000 and 32000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ports_differ_and_a_taken_one_is_skipped() {
        let first = free_port().unwrap();
        let held = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
        let others: Vec<u16> = (0..4).map(|_| free_port().unwrap()).collect();
        assert!(!others.contains(&first));
        drop(held);
    }
}
