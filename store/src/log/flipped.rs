//! Tells rot from a tear, and mends it. The last batch of a log has nothing behind it that proves it durable, so that a bad
//! record there is taken for one that the power cut: unless a single bit makes it whole.
//!
//! A tear leaves some sectors as they were. If that was one bit off what was to be written, as it may be in a recycled file
//! with records of one size, mending it is right, too: it makes what was written. It would be wrong only if some bit of a
//! torn record made its checksum right by chance: n / 2^29 for n bytes, or one of 500,000 torn records of a kilobyte. So a
//! record with a part of zeros is taken as torn, and one above [`FLIP_SEARCH_BYTES_MAX`] is not looked at.

use super::format::{FRAME_HEADER_BYTES, FrameHeader, SegmentHeader};
use crate::limits::FLIP_SEARCH_BYTES_MAX;

/// What a power cut cannot tear.
const SECTOR_BYTES: usize = 512;
/// A part of a sector that is this short may well be zeros by itself.
const ZEROS_BYTES_MIN: usize = 32;
/// The polynomial of crc32, reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The segment header that these bytes are but for one bit.
pub(crate) fn segment_header(bytes: &[u8]) -> Option<SegmentHeader> {
    without_one_bit(bytes, 0, |bytes| SegmentHeader::decode(bytes).ok()).map(|(header, _)| header)
}

/// One bit of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Bit {
    /// Its byte, from the frame's start.
    pub(crate) byte: usize,
    pub(crate) bit: u8,
}

/// The frame header that these bytes are, or are but for one bit: with its bytes, and the bit. Its checksum of the payload
/// is not looked at.
pub(crate) fn frame_header(bytes: &[u8]) -> Option<(FrameHeader, Vec<u8>, Option<Bit>)> {
    if let Some(header) = FrameHeader::decode(bytes) {
        return Some((header, bytes.to_vec(), None));
    }
    let ((header, bytes), at) =
        without_one_bit(bytes, 4, |b| FrameHeader::decode(b).map(|header| (header, b.to_vec())))?;
    Some((header, bytes, Some(at)))
}

fn without_one_bit<T>(bytes: &[u8], first: usize, decode: impl Fn(&[u8]) -> Option<T>) -> Option<(T, Bit)> {
    let mut bytes = bytes.to_vec();
    for byte in first..bytes.len() {
        for bit in 0..8 {
            *bytes.get_mut(byte)? ^= 1 << bit;
            let decoded = decode(&bytes);
            *bytes.get_mut(byte)? ^= 1 << bit;
            if let Some(decoded) = decoded {
                return Some((decoded, Bit { byte, bit }));
            }
        }
    }
    None
}

/// Which bit of a frame makes a wrong checksum of its payload right. `difference` is between the
/// checksum that it has and the one that it says.
pub(crate) fn bit_in_frame(difference: u32, payload_bytes: usize) -> Option<Bit> {
    if difference.is_power_of_two() {
        let bit = difference.trailing_zeros();
        return Some(Bit { byte: bit as usize / 8, bit: bit as u8 % 8 });
    }
    if payload_bytes > FLIP_SEARCH_BYTES_MAX {
        return None;
    }
    // What a bit changes depends on how many bits follow it, and on nothing else: from the last bit to the first.
    let mut change = 1;
    for after in 0..payload_bytes * 8 {
        change = (change >> 1) ^ if change & 1 == 1 { POLYNOMIAL } else { 0 };
        if change == difference {
            let byte = FRAME_HEADER_BYTES as usize + payload_bytes - 1 - after / 8;
            return Some(Bit { byte, bit: 7 - (after % 8) as u8 });
        }
    }
    None
}

/// Whether a power cut may have left a frame as it is: in some sector it is zeros. `offset` is where it lies in its file,
/// `flipped` the byte that a flip would explain.
pub(crate) fn may_be_torn(frame: &[u8], offset: u32, flipped: usize) -> bool {
    let first = SECTOR_BYTES - offset as usize % SECTOR_BYTES;
    let (head, rest) = frame.split_at(first.min(frame.len()));
    let mut at = 0;
    std::iter::once(head).chain(rest.chunks(SECTOR_BYTES)).any(|part| {
        let decides = part.len() >= ZEROS_BYTES_MIN || (at..at + part.len()).contains(&flipped);
        at += part.len();
        decides && part.iter().all(|byte| *byte == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::LogPoint;
    use crate::log::format::{FrameKind, frame_crc};

    #[test]
    fn every_bit_of_a_frame_is_found_and_two_are_not() {
        let at = LogPoint { segment: 3, offset: 64 };
        let payload: Vec<u8> = (0..200_u8).collect();
        let frame = FrameHeader { crc: 0, length: 200, generation: 9, batch_begin: 64, kind: FrameKind::Record };
        let bytes = [&frame.encode(1, at, &payload)[..], &payload].concat();
        let found = |bytes: &[u8]| {
            let (head, payload) = bytes.split_at(FRAME_HEADER_BYTES as usize);
            let (header, head, in_head) = frame_header(head)?;
            let difference = frame_crc(1, at, &head[4..20], payload) ^ header.crc;
            match in_head {
                Some(bit) => (difference == 0).then_some(bit),
                None => bit_in_frame(difference, payload.len()),
            }
        };
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let right = Bit { byte: bit / 8, bit: bit as u8 % 8 };
            assert_eq!(found(&flipped), Some(right));
            flipped[150] ^= 0x81;
            flipped[160] ^= 0x18;
            assert_eq!(found(&flipped), None, "bit {bit} and four more");
        }
    }

    #[test]
    fn a_part_of_zeros_may_be_a_sector_that_was_lost() {
        let mut frame = vec![1; 1000];
        assert!(!may_be_torn(&frame, 500, 900));
        frame[12..524].fill(0);
        assert!(may_be_torn(&frame, 500, 900) && !may_be_torn(&frame, 501, 900));
        let short = [vec![1; 12], vec![0; 8]].concat();
        assert!(!may_be_torn(&short, 500, 3) && may_be_torn(&short, 500, 13));
    }
}
