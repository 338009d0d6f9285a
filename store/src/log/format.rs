//! What is on the disk. All numbers are little endian.
//!
//! ```text
//! DIR/LOCK                       held by the process that uses the directory
//! DIR/first                      which segment is the oldest, see `first`
//! DIR/<sequence>.segment         16 hex digits, from 1, without gaps from the oldest to the newest
//! DIR/<number>.spare             a file that waits to become a segment; its content means nothing
//!
//! segment   ┌────────────┬───────┬───────┬─────┬───────┬─────────────────────────────────────┐
//!           │ header     │ frame │ frame │  …  │ frame │ zeros, or what a recycled file held │
//!           └────────────┴───────┴───────┴─────┴───────┴─────────────────────────────────────┘
//!           0            64      every frame begins at a multiple of 8
//!
//! header     0  magic "ARCHLOG1"                           8
//!            8  format version                             4
//!           12  flags: 1 = the file was recycled           4
//!           16  log id                                     8
//!           24  sequence                                   8
//!           32  revision of the store at this point        8
//!           40  compact revision at this point             8
//!           48  generation                                 4
//!           52  where the previous segment's frames end    4    0 for the first segment
//!           56  capacity in bytes                          4
//!           60  crc32 of bytes 0..60                       4
//!
//! frame      0  crc32 of log id, sequence, offset, bytes 4..20, payload  4
//!            4  payload length                             4
//!            8  generation                                 4
//!           12  offset where this frame's batch begins     4
//!           16  kind: 1 record, 2 opened, 3 closed         1
//!           17  zero                                       3
//!           20  crc32 of bytes 4..20                       4
//!           24  payload (see `codec`), then zeros up to a multiple of 8
//! ```
//!
//! **Generation** counts, over the whole log, every opening and every new segment; it never repeats. A frame continues
//! its segment if it has the generation of the frame before; only an *opened* frame, the first one after a start, may
//! raise it. What a recycled file held, and what a crash left behind the place where a later start cut the log, has a
//! lower generation and so is never taken for new.
//!
//! **Batch begin** tells torn from damaged. A batch is written only after the batch before it is durable, and a batch
//! never spans segments (at a roll the old segment is synced before the new one is written). So a valid frame whose
//! batch begins after X proves that everything up to X was durable. A bad frame at X is therefore *damage* (stop) if
//! any such frame follows, or a newer segment does; else it is the *torn tail* of the last batch, which nobody was told
//! is durable (cut and go on). The last batch of a site that was killed has nothing behind it: there a record is damaged
//! if a single bit makes it whole (see `flipped`), and other damage to that one batch looks like a tear.
//!
//! The checksum of a frame begins with the log id, which no client knows: no value can be made to look like a frame.
//!
//! It is assumed that a power cut while a 512-byte sector is overwritten leaves the old or the new sector.

use super::point::LogPoint;

/// First bytes of every segment.
pub(crate) const MAGIC: [u8; 8] = *b"ARCHLOG1";
/// Version of everything in this file and in `codec`.
pub(crate) const FORMAT_VERSION: u32 = 2;
/// Bytes before the first frame.
pub(crate) const SEGMENT_HEADER_BYTES: u32 = 64;
/// Bytes before a frame's payload.
pub(crate) const FRAME_HEADER_BYTES: u32 = 24;
/// Frames begin at multiples of this.
pub(crate) const FRAME_ALIGNMENT: u32 = 8;

const FLAG_RECYCLED: u32 = 1;

/// Rounds up to where the next frame begins.
pub(crate) fn align(offset: u64) -> u64 {
    offset.next_multiple_of(u64::from(FRAME_ALIGNMENT))
}

/// Bytes that a frame with this payload takes.
pub(crate) fn frame_bytes(payload: usize) -> u64 {
    align(u64::from(FRAME_HEADER_BYTES) + payload as u64)
}

/// Name of a segment's file.
pub(crate) fn segment_name(sequence: u64) -> String {
    format!("{sequence:016x}.segment")
}

/// Name of a spare file.
pub(crate) fn spare_name(number: u64) -> String {
    format!("{number:016x}.spare")
}

/// The number in a name with this suffix.
pub(crate) fn number_in(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    let written_by_us = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    written_by_us.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// What a segment says about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SegmentHeader {
    pub(crate) recycled: bool,
    pub(crate) log_id: u64,
    pub(crate) sequence: u64,
    pub(crate) revision: i64,
    pub(crate) compact_revision: i64,
    pub(crate) generation: u32,
    pub(crate) previous_end: u32,
    pub(crate) capacity: u32,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HeaderFault {
    /// Not written, torn or damaged.
    Invalid,
    /// Written by a version that this one does not know.
    Version(u32),
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES as usize);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&(if self.recycled { FLAG_RECYCLED } else { 0 }).to_le_bytes());
        out.extend_from_slice(&self.log_id.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.revision.to_le_bytes());
        out.extend_from_slice(&self.compact_revision.to_le_bytes());
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend_from_slice(&self.previous_end.to_le_bytes());
        out.extend_from_slice(&self.capacity.to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&out).to_le_bytes());
        out.try_into().expect("invariant: the fields above are 64 bytes")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<SegmentHeader, HeaderFault> {
        let mut fields = Fields(bytes);
        let body = bytes.get(..60).ok_or(HeaderFault::Invalid)?;
        let checked = crc32fast::hash(body);
        let read = || -> Option<(SegmentHeader, u32, u32)> {
            if fields.array::<8>()? != MAGIC {
                return None;
            }
            let version = fields.u32()?;
            let flags = fields.u32()?;
            let header = SegmentHeader {
                recycled: flags & FLAG_RECYCLED != 0,
                log_id: fields.u64()?,
                sequence: fields.u64()?,
                revision: fields.u64()? as i64,
                compact_revision: fields.u64()? as i64,
                generation: fields.u32()?,
                previous_end: fields.u32()?,
                capacity: fields.u32()?,
            };
            Some((header, version, fields.u32()?))
        };
        let mut read = read;
        let (header, version, crc) = read().ok_or(HeaderFault::Invalid)?;
        if crc != checked {
            return Err(HeaderFault::Invalid);
        }
        if version == FORMAT_VERSION { Ok(header) } else { Err(HeaderFault::Version(version)) }
    }
}

/// What a frame is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FrameKind {
    /// Holds a record.
    Record = 1,
    /// The first frame after a start; it alone may raise the generation.
    Opened = 2,
    /// The last frame of an orderly stop: damage to the frames before it can be told from a torn tail.
    Closed = 3,
}

/// A frame's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) crc: u32,
    pub(crate) length: u32,
    pub(crate) generation: u32,
    pub(crate) batch_begin: u32,
    pub(crate) kind: FrameKind,
}

impl FrameHeader {
    /// Encodes the header of a frame whose payload is known.
    pub(crate) fn encode(&self, log_id: u64, at: LogPoint, payload: &[u8]) -> [u8; FRAME_HEADER_BYTES as usize] {
        let mut middle = [0; 16];
        let fields = [self.length, self.generation, self.batch_begin, self.kind as u32];
        for (slot, field) in middle.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        let mut out = [0; FRAME_HEADER_BYTES as usize];
        let crc = frame_crc(log_id, at, &middle, payload);
        let parts = [&crc.to_le_bytes()[..], &middle[..], &crc32fast::hash(&middle).to_le_bytes()[..]];
        for (slot, byte) in out.iter_mut().zip(parts.concat()) {
            *slot = byte;
        }
        out
    }

    /// Reads a header that is whole, whatever its payload is. None for zeros and for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<FrameHeader> {
        let mut fields = Fields(bytes);
        let crc = fields.u32()?;
        let length = fields.u32()?;
        let generation = fields.u32()?;
        let batch_begin = fields.u32()?;
        let kind = match fields.u32()? {
            1 => FrameKind::Record,
            2 => FrameKind::Opened,
            3 => FrameKind::Closed,
            _ => return None,
        };
        let header_crc = fields.u32()?;
        (header_crc == crc32fast::hash(bytes.get(4..20)?)).then_some(FrameHeader {
            crc,
            length,
            generation,
            batch_begin,
            kind,
        })
    }

    /// Whether the payload is the one that the header was written with, at this place.
    pub(crate) fn matches(&self, log_id: u64, at: LogPoint, header: &[u8], payload: &[u8]) -> bool {
        header.get(4..20).is_some_and(|middle| frame_crc(log_id, at, middle, payload) == self.crc)
    }
}

pub(crate) fn frame_crc(log_id: u64, at: LogPoint, middle: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&log_id.to_le_bytes());
    hasher.update(&at.segment.to_le_bytes());
    hasher.update(&at.offset.to_le_bytes());
    hasher.update(middle);
    hasher.update(payload);
    hasher.finalize()
}

/// Takes numbers from the front of bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader {
        recycled: true,
        log_id: 0x1122_3344_5566_7788,
        sequence: 3,
        revision: 70,
        compact_revision: 50,
        generation: 9,
        previous_end: 4000,
        capacity: 65536,
    };
    const FRAME: FrameHeader =
        FrameHeader { crc: 0, length: 5, generation: 9, batch_begin: 64, kind: FrameKind::Record };
    const AT: LogPoint = LogPoint { segment: 3, offset: 64 };

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// These bytes are on disks: a change of them is a new format version.
    #[test]
    fn the_form_on_disk_stays() {
        assert_eq!(
            hex(&HEADER.encode()),
            "415243484c4f47310200000001000000887766554433221103000000000000004600000000000000320000000000000009000000a00f000000000100eaf32647"
        );
        assert_eq!(hex(&FRAME.encode(HEADER.log_id, AT, b"hello")), "5f20b180050000000900000040000000010000005a096a9a");
        assert_eq!(
            (segment_name(31), spare_name(2)),
            ("000000000000001f.segment".into(), "0000000000000002.spare".into())
        );
    }

    #[test]
    fn a_header_comes_back_and_every_changed_bit_is_seen() {
        let bytes = HEADER.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&changed), Err(HeaderFault::Invalid), "bit {bit}");
        }
        assert_eq!(SegmentHeader::decode(&bytes[..63]), Err(HeaderFault::Invalid));
    }

    #[test]
    fn a_frame_is_itself_only_at_its_place_in_its_log() {
        let bytes = FRAME.encode(1, AT, b"hello");
        let header = FrameHeader::decode(&bytes).unwrap();
        assert!(header.matches(1, AT, &bytes, b"hello"));
        assert!(!header.matches(2, AT, &bytes, b"hello"));
        assert!(!header.matches(1, LogPoint { offset: 72, ..AT }, &bytes, b"hello"));
        assert!(!header.matches(1, LogPoint { segment: 4, ..AT }, &bytes, b"hello"));
        assert!(!header.matches(1, AT, &bytes, b"hellO"));
        for bit in 32..bytes.len() * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&changed), None, "bit {bit}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(number_in(&segment_name(u64::MAX), ".segment"), Some(u64::MAX));
        for name in ["1f.segment", "000000000000001f.spare", "+00000000000001f.segment", "LOCK"] {
            assert_eq!(number_in(name, ".segment"), None, "{name}");
        }
    }
}
