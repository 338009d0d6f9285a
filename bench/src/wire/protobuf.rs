//! Just enough protobuf: writing the requests of the workloads, reading what their checks need.
//!
//! Field numbers are etcd's (api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto).

/// A field's value as it stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Appends a variable-length number.
pub(crate) fn put_varint(output: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return output.push(low & 0x7f);
        }
        output.push(low | 0x80);
    }
}

/// Appends a number field; zero is the default and is left out.
pub(crate) fn put_number(output: &mut Vec<u8>, field: u32, number: u64) {
    if number != 0 {
        put_varint(output, u64::from(field) << 3);
        put_varint(output, number);
    }
}

/// Appends a bytes field or a message that is encoded already.
pub(crate) fn put_bytes(output: &mut Vec<u8>, field: u32, bytes: &[u8]) {
    put_length(output, field, bytes.len());
    output.extend_from_slice(bytes);
}

/// Appends the head of a field whose `length` bytes the caller appends next.
pub(crate) fn put_length(output: &mut Vec<u8>, field: u32, length: usize) {
    put_varint(output, u64::from(field) << 3 | 2);
    put_varint(output, u64::try_from(length).expect("invariant: usize has at most 64 bits"));
}

/// The size of a bytes field with its head.
pub(crate) fn bytes_field_length(field: u32, length: usize) -> usize {
    varint_length(u64::from(field) << 3) + varint_length(length as u64) + length
}

/// The size of a number field with its head.
pub(crate) fn number_field_length(field: u32, number: u64) -> usize {
    if number == 0 { 0 } else { varint_length(u64::from(field) << 3) + varint_length(number) }
}

fn varint_length(number: u64) -> usize {
    let bits = 64 - (number | 1).leading_zeros();
    usize::try_from(bits.div_ceil(7)).expect("invariant: at most 10")
}

/// The fields of a message in their order; ends early, with `None` as its last item, when the message is damaged.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

/// Reads `message`.
pub(crate) fn fields(message: &[u8]) -> Fields<'_> {
    Fields { rest: message }
}

impl<'a> Iterator for Fields<'a> {
    /// The field's number and value, or `None` for damage.
    type Item = Option<(u64, Value<'a>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = self.rest.split_first()?;
            self.rest = rest;
            number |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }
}

/// The last value of a number field, 0 when it is absent; `None` for a damaged message or another type.
pub(crate) fn number(message: &[u8], field: u64) -> Option<u64> {
    let mut found = 0;
    for item in fields(message) {
        match item? {
            (its_field, Value::Number(number)) if its_field == field => found = number,
            (its_field, Value::Bytes(_)) if its_field == field => return None,
            _ => {}
        }
    }
    Some(found)
}

/// The first value of a bytes field; `None` when it is absent or the message is damaged before it.
pub(crate) fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    for item in fields(message) {
        match item? {
            (its_field, Value::Bytes(bytes)) if its_field == field => return Some(bytes),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_the_documentation_of_protobuf_shows_them() {
        let mut output = Vec::new();
        put_number(&mut output, 1, 150);
        assert_eq!(output, [0x08, 0x96, 0x01]);
        output.clear();
        put_bytes(&mut output, 2, b"testing");
        assert_eq!(output, b"\x12\x07testing");
        output.clear();
        put_number(&mut output, 3, 0);
        assert!(output.is_empty(), "a default is not sent");
    }

    #[test]
    fn lengths_are_those_of_what_is_written() {
        for number in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            for field in [1, 15, 16, 64] {
                let mut output = Vec::new();
                put_number(&mut output, field, number);
                assert_eq!(output.len(), number_field_length(field, number));
            }
        }
        for length in [0, 1, 127, 128, 1_024] {
            let mut output = Vec::new();
            put_bytes(&mut output, 16, &vec![0; length]);
            assert_eq!(output.len(), bytes_field_length(16, length));
        }
    }

    #[test]
    fn what_was_written_is_read_and_every_cut_is_noticed() {
        let mut message = Vec::new();
        put_number(&mut message, 2, u64::MAX);
        put_bytes(&mut message, 64, b"abc");
        assert_eq!(number(&message, 2), Some(u64::MAX));
        assert_eq!(number(&message, 9), Some(0));
        assert_eq!(bytes(&message, 64), Some(b"abc".as_slice()));
        let boundary = message.len() - 6;
        for length in (1..message.len()).filter(|length| *length != boundary) {
            assert!(fields(&message[..length]).any(|item| item.is_none()), "cut at {length}");
        }
    }
}
