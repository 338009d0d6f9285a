//! Protobuf's wire format: tags, varints, length-delimited bytes. What the schema adds is in `decode.rs` and `encode.rs`.

use crate::value::error::ValueError;

/// Nesting of unknown groups that a reader follows before it gives up; Kubernetes writes no groups at all.
const GROUP_DEPTH_MAX: u32 = 16;

/// How a field's content is delimited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::value) enum Wire {
    Varint,
    Fixed64,
    Bytes,
    GroupStart,
    GroupEnd,
    Fixed32,
}

/// A cursor over encoded bytes.
#[derive(Clone, Copy)]
pub(in crate::value) struct Reader<'a> {
    rest: &'a [u8],
}

fn truncated() -> ValueError {
    ValueError::malformed("protobuf", "the bytes end inside a field")
}

impl<'a> Reader<'a> {
    pub(in crate::value) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(in crate::value) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(in crate::value) fn varint(&mut self) -> Result<u64, ValueError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or_else(truncated)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ValueError::malformed("protobuf", "a number has more than 64 bits"))
    }

    pub(in crate::value) fn tag(&mut self) -> Result<(u32, Wire), ValueError> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| (1..1 << 29).contains(number));
        let number = number.ok_or_else(|| ValueError::malformed("protobuf", "a field number is out of range"))?;
        let wire = match tag & 7 {
            0 => Wire::Varint,
            1 => Wire::Fixed64,
            2 => Wire::Bytes,
            3 => Wire::GroupStart,
            4 => Wire::GroupEnd,
            5 => Wire::Fixed32,
            _ => return Err(ValueError::malformed("protobuf", "a wire type does not exist")),
        };
        Ok((number, wire))
    }

    pub(in crate::value) fn bytes(&mut self) -> Result<&'a [u8], ValueError> {
        let length = usize::try_from(self.varint()?).map_err(|_| truncated())?;
        self.take(length)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], ValueError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Passes over the content of the field whose tag was just read.
    pub(in crate::value) fn skip(&mut self, number: u32, wire: Wire) -> Result<(), ValueError> {
        self.skip_within(number, wire, 0)
    }

    fn skip_within(&mut self, number: u32, wire: Wire, depth: u32) -> Result<(), ValueError> {
        match wire {
            Wire::Varint => drop(self.varint()?),
            Wire::Fixed64 => drop(self.take(8)?),
            Wire::Fixed32 => drop(self.take(4)?),
            Wire::Bytes => drop(self.bytes()?),
            Wire::GroupEnd => return Err(ValueError::malformed("protobuf", "a group ends that did not begin")),
            Wire::GroupStart if depth == GROUP_DEPTH_MAX => {
                return Err(ValueError::malformed("protobuf", "groups are nested too deeply"));
            }
            Wire::GroupStart => loop {
                match self.tag()? {
                    (end, Wire::GroupEnd) if end == number => break,
                    (inner, wire) => self.skip_within(inner, wire, depth + 1)?,
                }
            },
        }
        Ok(())
    }

    /// The bytes that `later` has read since this state.
    pub(in crate::value) fn until(&self, later: &Reader<'_>) -> &'a [u8] {
        self.rest.get(..self.rest.len() - later.rest.len()).unwrap_or_default()
    }
}

pub(in crate::value) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(in crate::value) fn put_tag(out: &mut Vec<u8>, number: u32, wire: Wire) {
    let code = match wire {
        Wire::Varint => 0,
        Wire::Fixed64 => 1,
        Wire::Bytes => 2,
        Wire::GroupStart => 3,
        Wire::GroupEnd => 4,
        Wire::Fixed32 => 5,
    };
    put_varint(out, u64::from(number) << 3 | code);
}

pub(in crate::value) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_tag(out, number, Wire::Bytes);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(in crate::value) fn put_number(out: &mut Vec<u8>, number: u32, value: i64) {
    put_tag(out, number, Wire::Varint);
    put_varint(out, value as u64);
}

/// Writes a nested message: the body goes to the end of `out`, then its length is moved before it. That costs one move of
/// the body a level, and no allocation.
pub(in crate::value) fn put_nested(
    out: &mut Vec<u8>,
    number: u32,
    body: impl FnOnce(&mut Vec<u8>) -> Result<(), ValueError>,
) -> Result<(), ValueError> {
    put_tag(out, number, Wire::Bytes);
    let start = out.len();
    body(out)?;
    let length = out.len() - start;
    put_varint(out, length as u64);
    let prefix = out.len() - start - length;
    if let Some(tail) = out.get_mut(start..) {
        tail.rotate_right(prefix);
    }
    Ok(())
}
