//! HTTP/2 frames (RFC 9113, sections 4 and 6), as bytes.

use super::error::WireError;

/// What a client says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The largest payload that either side sends unless it was told otherwise; we tell nobody.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16_384;
const HEAD_BYTES: usize = 9;

pub(super) mod kind {
    pub(in crate::wire) const DATA: u8 = 0;
    pub(in crate::wire) const HEADERS: u8 = 1;
    pub(in crate::wire) const RST_STREAM: u8 = 3;
    pub(in crate::wire) const SETTINGS: u8 = 4;
    pub(in crate::wire) const PING: u8 = 6;
    pub(in crate::wire) const GOAWAY: u8 = 7;
    pub(in crate::wire) const WINDOW_UPDATE: u8 = 8;
}

pub(super) mod flag {
    pub(in crate::wire) const ACK: u8 = 0x1;
    pub(in crate::wire) const END_STREAM: u8 = 0x1;
    pub(in crate::wire) const END_HEADERS: u8 = 0x4;
    pub(in crate::wire) const PADDED: u8 = 0x8;
    pub(in crate::wire) const PRIORITY: u8 = 0x20;
}

pub(super) mod setting {
    pub(in crate::wire) const HEADER_TABLE_SIZE: u16 = 1;
    pub(in crate::wire) const ENABLE_PUSH: u16 = 2;
    pub(in crate::wire) const MAX_CONCURRENT_STREAMS: u16 = 3;
    pub(in crate::wire) const INITIAL_WINDOW_SIZE: u16 = 4;
}

/// One received frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'a [u8],
}

impl<'a> Frame<'a> {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload of a DATA or HEADERS frame without padding and priority.
    pub(super) fn content(&self) -> Result<&'a [u8], WireError> {
        const SHORT: WireError = WireError::Protocol("a frame is shorter than its flags say");
        let mut content = self.payload;
        let mut padding = 0;
        if self.has(flag::PADDED) {
            let (first, rest) = content.split_first().ok_or(SHORT)?;
            (padding, content) = (usize::from(*first), rest);
        }
        if self.kind == kind::HEADERS && self.has(flag::PRIORITY) {
            content = content.get(5..).ok_or(SHORT)?;
        }
        let length = content.len().checked_sub(padding).ok_or(SHORT)?;
        content.get(..length).ok_or(SHORT)
    }
}

/// Takes the next whole frame off the front of `input`; `None` when it has not arrived yet.
pub(super) fn next<'a>(input: &mut &'a [u8]) -> Result<Option<Frame<'a>>, WireError> {
    let Some((head, rest)) = input.split_first_chunk::<HEAD_BYTES>() else { return Ok(None) };
    let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = *head;
    let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).expect("invariant: usize has 32 bits or more");
    if length > PAYLOAD_BYTES_MAX {
        return Err(WireError::Protocol("a frame larger than 16 KiB"));
    }
    let Some((payload, rest)) = rest.split_at_checked(length) else { return Ok(None) };
    *input = rest;
    Ok(Some(Frame { kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]), payload }))
}

/// How many bytes the first frame of `input` lacks, as far as that is known: those of its head, then those of its payload.
/// 0 when it is whole.
pub(super) fn missing(input: &[u8]) -> usize {
    match input.first_chunk::<HEAD_BYTES>() {
        None => HEAD_BYTES - input.len(),
        Some([l0, l1, l2, ..]) => {
            let length = usize::try_from(u32::from_be_bytes([0, *l0, *l1, *l2])).unwrap_or(usize::MAX);
            (HEAD_BYTES + length).saturating_sub(input.len())
        }
    }
}

/// Appends a frame's head. `length` must be at most [`PAYLOAD_BYTES_MAX`].
pub(super) fn put_head(output: &mut Vec<u8>, length: usize, kind: u8, flags: u8, stream: u32) {
    debug_assert!(length <= PAYLOAD_BYTES_MAX);
    let length = u32::try_from(length).expect("invariant: at most 16 KiB");
    let [_, l0, l1, l2] = length.to_be_bytes();
    let [s0, s1, s2, s3] = stream.to_be_bytes();
    output.extend([l0, l1, l2, kind, flags, s0, s1, s2, s3]);
}

/// Appends a WINDOW_UPDATE of `bytes`; stream 0 is the connection.
pub(super) fn put_window_update(output: &mut Vec<u8>, stream: u32, bytes: u32) {
    put_head(output, 4, kind::WINDOW_UPDATE, 0, stream);
    output.extend(bytes.to_be_bytes());
}

/// A 32-bit number at the front of a payload.
pub(super) fn number(payload: &[u8]) -> Result<u32, WireError> {
    let bytes = payload.first_chunk::<4>().ok_or(WireError::Protocol("a control frame is too short"))?;
    Ok(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_only_when_it_is_whole() {
        let mut bytes = Vec::new();
        put_head(&mut bytes, 3, kind::DATA, flag::END_STREAM, 7);
        bytes.extend(b"abc");
        for length in 0..bytes.len() {
            let mut input = &bytes[..length];
            assert_eq!(next(&mut input), Ok(None));
            assert_eq!(input.len(), length, "nothing was taken");
        }
        let mut input = bytes.as_slice();
        let frame = next(&mut input).unwrap().unwrap();
        assert_eq!(frame, Frame { kind: kind::DATA, flags: flag::END_STREAM, stream: 7, payload: b"abc" });
        assert!(input.is_empty());
    }

    #[test]
    fn padding_and_priority_are_not_content() {
        let flags = flag::PADDED | flag::PRIORITY;
        let frame = Frame { kind: kind::HEADERS, flags, stream: 1, payload: b"\x02PRIORblock\0\0" };
        assert_eq!(frame.content().unwrap(), b"block");
        let lying = Frame { payload: b"\xffPRIOR", ..frame };
        assert!(lying.content().is_err());
    }
}
