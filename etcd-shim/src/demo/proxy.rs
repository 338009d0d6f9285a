//! The wire between two sites: a TCP proxy on loopback that can be cut, and that counts what goes over it.
//!
//! The product has no switch for a cut link, so the cut happens where it happens in life: in the network.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The buffer of one direction of one connection.
const BUFFER_BYTES: usize = 64 << 10;

/// Bytes that went over the wire since it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WireBytes {
    /// From the side that dialled.
    pub forward: u64,
    /// To the side that dialled.
    pub backward: u64,
}

impl WireBytes {
    /// Both directions.
    pub fn total(self) -> u64 {
        self.forward + self.backward
    }
}

#[derive(Debug, Default)]
struct Counters {
    forward: AtomicU64,
    backward: AtomicU64,
}

/// A proxy from a port of its own to one target. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: SocketAddr,
    /// `true` while the wire is whole; every connection watches it.
    whole: watch::Sender<bool>,
    counters: Arc<Counters>,
    listener: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Opens the wire to `target` on a free loopback port. Needs a tokio runtime.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn open(target: SocketAddr) -> std::io::Result<Proxy> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, super::kubernetes::free_port()?)).await?;
        let address = listener.local_addr()?;
        let mut proxy =
            Proxy { address, target, whole: watch::Sender::new(true), counters: Arc::default(), listener: None };
        proxy.listen(listener);
        Ok(proxy)
    }

    /// Where to dial.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over it so far.
    pub fn bytes(&self) -> WireBytes {
        WireBytes {
            forward: self.counters.forward.load(Ordering::Relaxed),
            backward: self.counters.backward.load(Ordering::Relaxed),
        }
    }

    /// Cuts the wire: every connection is closed, and new ones are refused until [`Proxy::heal`].
    pub async fn cut(&mut self) {
        self.whole.send_replace(false);
        if let Some(listener) = self.listener.take() {
            // Only once the task is gone is the port closed.
            listener.abort();
            let _ = listener.await;
        }
    }

    /// Mends the wire. Does nothing when it is whole.
    ///
    /// # Errors
    /// When somebody else has taken the port meanwhile.
    pub async fn heal(&mut self) -> std::io::Result<()> {
        if self.listener.is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        self.whole.send_replace(true);
        self.listen(listener);
        Ok(())
    }

    fn listen(&mut self, listener: TcpListener) {
        let (target, whole, counters) = (self.target, self.whole.clone(), self.counters.clone());
        self.listener = Some(tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connection(near, target, whole.subscribe(), counters.clone()));
            }
        }));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.whole.send_replace(false);
        if let Some(listener) = &self.listener {
            listener.abort();
        }
    }
}

/// Carries one connection until either side closes it or the wire is cut.
async fn connection(near: TcpStream, target: SocketAddr, mut whole: watch::Receiver<bool>, counters: Arc<Counters>) {
    let Ok(far) = TcpStream::connect(target).await else { return };
    // Nagle's algorithm here would be a delay that the real network does not have.
    if near.set_nodelay(true).and(far.set_nodelay(true)).is_err() {
        return;
    }
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    tokio::select! {
        _ = async { tokio::join!(
            carry(near_read, far_write, &counters.forward),
            carry(far_read, near_write, &counters.backward),
        ) } => {}
        // An error means that the proxy was dropped.
        _ = whole.wait_for(|whole| !whole) => {}
    }
}

/// Carries one direction; passes on the end of the stream, so that a half-closed connection stays one.
async fn carry(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, carried: &AtomicU64) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Ok(length) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { break };
        if to.write_all(bytes).await.is_err() {
            break;
        }
        carried.fetch_add(length as u64, Ordering::Relaxed);
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that answers every byte with the next one.
    async fn server() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        stream.write_u8(byte + 1).await.unwrap();
                    }
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn a_cut_closes_what_is_open_and_refuses_what_is_new_until_it_heals() {
        let mut proxy = Proxy::open(server().await).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_u8(1).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 2);
        assert_eq!(proxy.bytes(), WireBytes { forward: 1, backward: 1 });

        proxy.cut().await;
        assert!(client.read_u8().await.is_err(), "the open connection was closed");
        assert!(TcpStream::connect(proxy.address()).await.is_err(), "a new one is refused");

        proxy.heal().await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_u8(7).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 8);
        assert_eq!(proxy.bytes().total(), 4);
    }

    #[tokio::test]
    async fn the_end_of_one_direction_is_passed_on() {
        let proxy = Proxy::open(server().await).await.unwrap();
        let mut client = TcpStream::connect(proxy.address()).await.unwrap();
        client.write_u8(1).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), 2, "the answer still arrives");
        assert!(client.read_u8().await.is_err());
    }
}
