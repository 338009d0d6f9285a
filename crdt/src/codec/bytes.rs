//! Writing and reading of the primitive forms.

use super::error::DecodeError;
use super::words;
use crate::clock::Hlc;
use crate::dot::{ActorId, Dot, Stamp};
use bytes::Bytes;
use std::sync::Arc;

/// Deepest nesting that a decoder follows. JSON parsers stop at 128 levels, and no known type nests deeper.
const DEPTH_MAX: u32 = 256;

/// Appends primitive forms to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The bytes written, without a checksum.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// The bytes written, followed by their crc32 (little endian).
    pub(crate) fn into_checked_bytes(mut self) -> Vec<u8> {
        let sum = crc32fast::hash(&self.out);
        self.out.extend_from_slice(&sum.to_le_bytes());
        self.out
    }

    pub(crate) fn byte(&mut self, b: u8) {
        self.out.push(b);
    }

    /// Seven bits a byte, low bits first, at most ten bytes.
    pub(crate) fn varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.out.push((v as u8) | 0x80);
            v >>= 7;
        }
        self.out.push(v as u8);
    }

    pub(crate) fn count(&mut self, n: usize) {
        self.varint(n as u64);
    }

    /// Zigzag, so that small negative numbers are short.
    pub(crate) fn signed(&mut self, v: i64) {
        self.varint(((v << 1) ^ (v >> 63)) as u64);
    }

    pub(crate) fn fixed64(&mut self, v: u64) {
        self.out.extend_from_slice(&v.to_be_bytes());
    }

    pub(crate) fn blob(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    /// A string: an index into the dictionary, or its bytes.
    pub(crate) fn text(&mut self, s: &str) {
        self.tagged_text(s, 0, 1);
    }

    /// A string whose header leaves room for `tag` in its lowest `bits - 1` bits, above which the dictionary bit stands.
    pub(crate) fn tagged_text(&mut self, s: &str, tag: u64, bits: u32) {
        match words::index_of(s) {
            Some(index) => self.varint((index << bits) | (1 << (bits - 1)) | tag),
            None => {
                self.varint(((s.len() as u64) << bits) | tag);
                self.out.extend_from_slice(s.as_bytes());
            }
        }
    }

    pub(crate) fn actor(&mut self, actor: ActorId) {
        self.out.extend_from_slice(&actor.0.to_be_bytes());
    }
}

/// Takes primitive forms off the front of a byte string.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// Verifies the crc32 at the end and reads what stands before it.
    pub(crate) fn checked(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or(DecodeError::Truncated)?;
        if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
            return Err(DecodeError::Checksum);
        }
        Ok(Self::new(body))
    }

    /// Succeeds if everything was read.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Malformed("end: bytes are left over")) }
    }

    /// Reads one level deeper, so that hostile nesting ends in an error and not in a stack overflow.
    pub(crate) fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        if self.depth >= DEPTH_MAX {
            return Err(DecodeError::TooDeep);
        }
        self.depth += 1;
        let out = read(self)?;
        self.depth -= 1;
        Ok(out)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        let (&first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut v = 0u64;
        for shift in (0..64).step_by(7) {
            let b = self.byte()?;
            let bits = u64::from(b & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            v |= bits << shift;
            if b & 0x80 == 0 {
                return Ok(v);
            }
        }
        Err(DecodeError::Malformed("varint"))
    }

    /// A number of things that follow, each at least one byte long, so that a count never exceeds the input.
    pub(crate) fn count(&mut self) -> Result<usize, DecodeError> {
        let n = usize::try_from(self.varint()?).map_err(|_| DecodeError::Truncated)?;
        if n > self.rest.len() { Err(DecodeError::Truncated) } else { Ok(n) }
    }

    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        let v = self.varint()?;
        Ok(((v >> 1) as i64) ^ -((v & 1) as i64))
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<8>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(u64::from_be_bytes(*head))
    }

    pub(crate) fn blob(&mut self) -> Result<Bytes, DecodeError> {
        let n = self.count()?;
        Ok(Bytes::copy_from_slice(self.take(n)?))
    }

    pub(crate) fn text(&mut self) -> Result<Arc<str>, DecodeError> {
        let head = self.varint()?;
        self.text_after(head, 1)
    }

    pub(crate) fn string(&mut self) -> Result<String, DecodeError> {
        self.text().map(|s| s.as_ref().to_owned())
    }

    /// The string whose header `head` was read already; `bits` as given to [`Writer::tagged_text`].
    pub(crate) fn text_after(&mut self, head: u64, bits: u32) -> Result<Arc<str>, DecodeError> {
        let number = head >> bits;
        if head & (1 << (bits - 1)) != 0 {
            return words::word(number).ok_or(DecodeError::Malformed("dictionary word"));
        }
        let n = usize::try_from(number).map_err(|_| DecodeError::Truncated)?;
        let text = std::str::from_utf8(self.take(n)?).map_err(|_| DecodeError::Malformed("text"))?;
        Ok(Arc::from(text))
    }

    pub(crate) fn actor(&mut self) -> Result<ActorId, DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<16>().ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(ActorId(u128::from_be_bytes(*head)))
    }
}

/// The actors that one encoded value names, so that each costs its 16 bytes once.
#[derive(Debug, Default)]
pub(crate) struct ActorTable(pub(crate) Vec<ActorId>);

impl ActorTable {
    /// Writes a dot as the index of its actor; an actor that is not in the table follows in full.
    pub(crate) fn write_dot(&self, w: &mut Writer, dot: Dot) {
        match self.0.iter().position(|&a| a == dot.actor) {
            Some(index) => w.count(index),
            None => {
                w.count(self.0.len());
                w.actor(dot.actor);
            }
        }
        w.varint(dot.n);
    }

    pub(crate) fn read_dot(&self, r: &mut Reader<'_>) -> Result<Dot, DecodeError> {
        let index = usize::try_from(r.varint()?).map_err(|_| DecodeError::Malformed("actor index"))?;
        let actor = match self.0.get(index) {
            Some(&actor) => actor,
            None if index == self.0.len() => r.actor()?,
            None => return Err(DecodeError::Malformed("actor index")),
        };
        Ok(Dot { actor, n: r.varint()? })
    }

    pub(crate) fn write_stamp(&self, w: &mut Writer, stamp: Stamp) {
        w.fixed64(stamp.hlc.0);
        self.write_dot(w, stamp.dot);
    }

    pub(crate) fn read_stamp(&self, r: &mut Reader<'_>) -> Result<Stamp, DecodeError> {
        Ok(Stamp { hlc: Hlc(r.fixed64()?), dot: self.read_dot(r)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primitives_come_back() {
        let mut w = Writer::new();
        let numbers = [0u64, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX];
        for n in numbers {
            w.varint(n);
        }
        for n in [0i64, -1, 1, 63, -64, i64::MIN, i64::MAX] {
            w.signed(n);
        }
        for s in ["", "spec", "not in the dictionary"] {
            w.text(s);
        }
        let bytes = w.into_checked_bytes();
        let mut r = Reader::checked(&bytes).unwrap();
        for n in numbers {
            assert_eq!(r.varint().unwrap(), n);
        }
        for n in [0i64, -1, 1, 63, -64, i64::MIN, i64::MAX] {
            assert_eq!(r.signed().unwrap(), n);
        }
        for s in ["", "spec", "not in the dictionary"] {
            assert_eq!(&*r.text().unwrap(), s);
        }
        r.finish().unwrap();
    }

    #[test]
    fn overlong_varints_are_refused() {
        assert_eq!(Reader::new(&[0xff; 11]).varint(), Err(DecodeError::Malformed("varint")));
        assert_eq!(Reader::new(&[0x80]).varint(), Err(DecodeError::Truncated));
    }
}
