//! Keep-alive as grpc-go enforces it (internal/transport/http2_server.go, `handlePing`): a client that pings more often
//! than it may, three times without an answer to one of its calls in between, is told so and closed. hyper answers pings
//! and has no rule for them, so the frames are watched on their way.
//!
//! Not here: grpc-go counts a ping on a connection without calls as too early for two hours. That needs a list of open
//! calls beside hyper's; here the same minimum holds with and without calls.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

/// Pings that may come too early before the connection is closed (grpc-go: `maxPingStrikes`).
const STRIKES_MAX: u32 = 2;
/// What every HTTP/2 connection begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADER_BYTES: usize = 9;
// Types of frames and the flag of an acknowledgement (RFC 9113, 6).
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;
/// The error code ENHANCE_YOUR_CALM.
const CALM: u32 = 0xb;
/// The text that clients of gRPC look for before they slow down.
const TOO_MANY: &[u8] = b"too_many_pings";

/// A stream whose pings are watched.
#[derive(Debug)]
pub(super) struct Pings<S> {
    stream: S,
    min: Duration,
    protocol: Protocol,
    received: Frames,
    sent: Frames,
    /// The last ping, and whether something was answered since.
    last: Option<Instant>,
    answered: bool,
    strikes: u32,
    /// The last call that came.
    last_stream: u32,
    refused: bool,
}

/// What is spoken, as far as the bytes say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    /// So many bytes were those of the preface.
    Unknown(usize),
    Http2,
    Other,
}

/// The place in a stream of frames.
#[derive(Default, Debug)]
struct Frames {
    header: [u8; HEADER_BYTES],
    header_bytes: usize,
    /// What is left of the frame's content.
    content_bytes: usize,
}

/// The head of a frame.
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frames {
    /// Goes over bytes and shows each frame whose head is in them. Cost: a few instructions a frame.
    fn scan(&mut self, mut bytes: &[u8], mut seen: impl FnMut(Frame)) {
        while !bytes.is_empty() {
            let content = self.content_bytes.min(bytes.len());
            bytes = bytes.split_at(content).1;
            self.content_bytes -= content;
            let (head, rest) = bytes.split_at(bytes.len().min(HEADER_BYTES - self.header_bytes));
            bytes = rest;
            for (place, byte) in self.header.iter_mut().skip(self.header_bytes).zip(head) {
                *place = *byte;
            }
            self.header_bytes += head.len();
            if self.header_bytes == HEADER_BYTES {
                let [l2, l1, l0, kind, flags, s3, s2, s1, s0] = self.header;
                self.content_bytes = u32::from_be_bytes([0, l2, l1, l0]) as usize;
                self.header_bytes = 0;
                seen(Frame { kind, flags, stream: u32::from_be_bytes([s3 & 0x7f, s2, s1, s0]) });
            }
        }
    }

    fn is_between(&self) -> bool {
        self.header_bytes == 0 && self.content_bytes == 0
    }
}

impl<S> Pings<S> {
    /// A client may ping once in `min`.
    pub(super) fn new(stream: S, min: Duration) -> Pings<S> {
        Pings {
            stream,
            min,
            protocol: Protocol::Unknown(0),
            received: Frames::default(),
            sent: Frames::default(),
            last: None,
            answered: false,
            strikes: 0,
            last_stream: 0,
            refused: false,
        }
    }

    fn receive(&mut self, mut bytes: &[u8]) {
        if let Protocol::Unknown(seen) = self.protocol {
            let expected = PREFACE.split_at(seen).1;
            let (start, rest) = bytes.split_at(bytes.len().min(expected.len()));
            bytes = rest;
            self.protocol = match expected.strip_prefix(start) {
                None => Protocol::Other,
                Some([]) => Protocol::Http2,
                Some(_) => Protocol::Unknown(seen + start.len()),
            };
        }
        if self.protocol == Protocol::Http2 {
            let (mut pings, mut last_stream) = (0, self.last_stream);
            self.received.scan(bytes, |frame| match frame.kind {
                PING if frame.flags & ACK == 0 => pings += 1,
                HEADERS => last_stream = last_stream.max(frame.stream),
                _ => {}
            });
            self.last_stream = last_stream;
            (0..pings).for_each(|_| self.ping());
        }
    }

    fn ping(&mut self) {
        let now = Instant::now();
        let early = self.last.is_some_and(|last| now.duration_since(last) < self.min);
        self.last = Some(now);
        if std::mem::take(&mut self.answered) {
            self.strikes = 0;
        } else if early {
            self.strikes += 1;
            self.refused = self.strikes > STRIKES_MAX;
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        if self.protocol == Protocol::Http2 {
            let mut answered = self.answered;
            self.sent.scan(bytes, |frame| answered |= matches!(frame.kind, DATA | HEADERS));
            self.answered = answered;
        }
    }

    /// The frame that says why the connection is closed.
    fn goaway(&self) -> Vec<u8> {
        let content = [&self.last_stream.to_be_bytes()[..], &CALM.to_be_bytes(), TOO_MANY].concat();
        let length = u8::try_from(content.len()).expect("invariant: the text is short");
        [&[0, 0, length, GOAWAY, 0, 0, 0, 0, 0][..], &content].concat()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Pings<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        if this.protocol != Protocol::Other {
            this.receive(buffer.filled().split_at(before).1);
        }
        if this.refused {
            tracing::debug!("a client that pings too often is closed");
            buffer.set_filled(before);
            // Best effort: a client that does not read loses the reason, not more.
            if this.sent.is_between() {
                let goaway = this.goaway();
                let _ = Pin::new(&mut this.stream).poll_write(cx, &goaway)?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Pings<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, bytes))?;
        this.send(bytes.split_at(written).0);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(Pin::new(&mut this.stream).poll_write_vectored(cx, slices))?;
        let mut left = written;
        for slice in slices {
            let (sent, _) = slice.split_at(slice.len().min(left));
            this.send(sent);
            left -= sent.len();
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const MIN: Duration = Duration::from_secs(3600);

    fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
        let length = u8::try_from(content.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], content].concat()
    }

    fn ping() -> Vec<u8> {
        frame(PING, 0, 0, &[0; 8])
    }

    /// A client that said hello, and its server.
    async fn connected(min: Duration) -> (DuplexStream, Pings<DuplexStream>) {
        let (mut client, server) = duplex(4096);
        client.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.unwrap();
        (client, Pings::new(server, min))
    }

    /// Lets the server read what the client wrote, in pieces of `piece` bytes; false: it was closed.
    async fn read(server: &mut Pings<DuplexStream>, mut bytes: usize, piece: usize) -> bool {
        while bytes > 0 {
            let mut buffer = vec![0; piece.min(bytes)];
            match server.read(&mut buffer).await.unwrap() {
                0 => return false,
                count => bytes -= count,
            }
        }
        true
    }

    #[tokio::test]
    async fn too_many_pings_are_answered_with_goaway() {
        for piece in [1, 7, 4096] {
            let (mut client, mut server) = connected(MIN).await;
            let call = frame(HEADERS, 4, 5, &[0; 3]);
            let bytes = [call, ping(), ping(), ping()].concat();
            client.write_all(&bytes).await.unwrap();
            assert!(read(&mut server, PREFACE.len() + HEADER_BYTES + bytes.len(), piece).await);
            client.write_all(&ping()).await.unwrap();
            assert!(!read(&mut server, ping().len(), 4096).await, "the third early ping");
            let mut goaway = vec![0; HEADER_BYTES + 8 + TOO_MANY.len()];
            client.read_exact(&mut goaway).await.unwrap();
            assert_eq!(goaway, frame(GOAWAY, 0, 0, &[&[0, 0, 0, 5, 0, 0, 0, 0xb][..], TOO_MANY].concat()));
        }
    }

    #[tokio::test]
    async fn pings_between_answers_and_in_their_time_are_welcome() {
        let (mut client, mut server) = connected(MIN).await;
        assert!(read(&mut server, PREFACE.len() + HEADER_BYTES, 4096).await);
        for _ in 0..10 {
            client.write_all(&ping()).await.unwrap();
            assert!(read(&mut server, ping().len(), 4096).await);
            server.write_all(&frame(DATA, 0, 1, b"abc")).await.unwrap();
        }
        let (mut client, mut server) = connected(Duration::ZERO).await;
        client.write_all(&ping().repeat(10)).await.unwrap();
        assert!(read(&mut server, PREFACE.len() + HEADER_BYTES + 10 * ping().len(), 64).await);
    }

    #[tokio::test]
    async fn acknowledgements_and_other_protocols_are_no_pings() {
        let (mut client, mut server) = connected(MIN).await;
        client.write_all(&frame(PING, ACK, 0, &[0; 8]).repeat(10)).await.unwrap();
        assert!(read(&mut server, PREFACE.len() + HEADER_BYTES + 10 * ping().len(), 4096).await);
        let (mut client, server) = duplex(4096);
        let mut server = Pings::new(server, MIN);
        client.write_all(&ping().repeat(10)).await.unwrap();
        assert!(read(&mut server, 10 * ping().len(), 4096).await);
    }
}
