//! Messages in frames of gRPC: a flag byte, the length in 4 bytes, the message.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tonic::Status;

/// Flag and length.
const HEAD_BYTES: usize = 5;

/// A message in its frame.
pub(super) fn frame(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(HEAD_BYTES + message.len());
    frame.put_u8(0);
    // A message has passed the limit of a request, far below 4 GiB.
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    frame.freeze()
}

/// Finds the frames in the pieces of a body.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffer: BytesMut,
}

impl Frames {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole message.
    ///
    /// # Errors
    /// It is compressed, which nobody asked for.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>, Status> {
        let Some(head) = self.buffer.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let [compressed, length @ ..] = *head;
        if compressed != 0 {
            return Err(Status::internal("archipel: a compressed reply inside the process"));
        }
        let length = u32::from_be_bytes(length) as usize;
        if self.buffer.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        self.buffer.advance(HEAD_BYTES);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_any_pieces() {
        let bytes = [frame(b"one"), frame(b""), frame(b"three")].concat();
        for size in 1..bytes.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for piece in bytes.chunks(size) {
                frames.push(piece);
                while let Some(message) = frames.next().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, [&b"one"[..], b"", b"three"]);
        }
    }
}
