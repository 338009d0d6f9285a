//! Header blocks (HPACK, RFC 7541): reading those of replies, writing those of requests.
//!
//! A connection's requests are all alike, so after the first one every field is one indexed byte, as with any
//! long-lived gRPC client; the server's work for a request is then what it would be in production.

use std::collections::VecDeque;

use super::error::WireError;
use super::huffman;

/// The table that both sides start with (RFC 7541, section 4.2 and RFC 9113, section 6.5.2), and that we keep.
const TABLE_BYTES: usize = 4096;
/// What an entry costs besides its bytes (RFC 7541, section 4.1).
const ENTRY_OVERHEAD_BYTES: usize = 32;

/// RFC 7541, appendix A; the first has index 1.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

const METHOD_POST: u8 = 3;
const SCHEME_HTTP: u8 = 6;
/// The index of the newest dynamic entry.
const DYNAMIC_FIRST: usize = STATIC.len() + 1;

/// What we want to know of a reply's headers and trailers. Nothing is allocated for a reply that succeeded.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReplyFields {
    pub(super) http_status: Option<u16>,
    pub(super) grpc_status: Option<u16>,
    /// Present only when it is not empty.
    pub(super) grpc_message: Option<Box<[u8]>>,
}

/// What stands for a status that is not a number.
const NO_NUMBER: u16 = u16::MAX;

impl ReplyFields {
    fn note(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b":status" => self.http_status = Some(status(value)),
            b"grpc-status" => self.grpc_status = Some(status(value)),
            b"grpc-message" if !value.is_empty() => self.grpc_message = Some(value.into()),
            _ => {}
        }
    }
}

fn status(text: &[u8]) -> u16 {
    let digit = |number: u16, byte: &u8| {
        let digit = u16::from(byte.checked_sub(b'0').filter(|digit| *digit < 10)?);
        number.checked_mul(10)?.checked_add(digit)
    };
    text.iter().try_fold(0, digit).filter(|_| !text.is_empty()).unwrap_or(NO_NUMBER)
}

#[derive(Debug)]
struct Entry {
    name: Box<[u8]>,
    value: Box<[u8]>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.name.len() + self.value.len() + ENTRY_OVERHEAD_BYTES
    }
}

/// The server's side of one connection's header compression.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// Newest first.
    dynamic: VecDeque<Entry>,
    bytes: usize,
}

impl Decoder {
    /// Reads one whole header block.
    ///
    /// # Errors
    /// [`WireError::Protocol`]: the connection cannot be used any more.
    pub(super) fn decode(&mut self, mut block: &[u8]) -> Result<ReplyFields, WireError> {
        let mut fields = ReplyFields::default();
        while let Some(first) = block.first().copied() {
            match first {
                0x80.. => {
                    let index = integer(&mut block, 7)?;
                    let (name, value) = self.entry(index)?;
                    fields.note(name, value);
                }
                0x40..=0x7f => {
                    let entry = self.literal(&mut block, 6)?;
                    fields.note(&entry.name, &entry.value);
                    self.insert(entry);
                }
                0x20..=0x3f => {
                    let size = integer(&mut block, 5)?;
                    // We never ask for another size, but a server may shrink its own table to any smaller one.
                    if size > TABLE_BYTES {
                        return Err(WireError::Protocol("a header table larger than the agreed one"));
                    }
                    self.shrink_to(size);
                }
                0x00..=0x1f => {
                    let entry = self.literal(&mut block, 4)?;
                    fields.note(&entry.name, &entry.value);
                }
            }
        }
        Ok(fields)
    }

    fn literal(&self, block: &mut &[u8], prefix_bits: u32) -> Result<Entry, WireError> {
        let name = match integer(block, prefix_bits)? {
            0 => string(block)?,
            index => self.entry(index)?.0.to_vec(),
        };
        Ok(Entry { name: name.into(), value: string(block)?.into() })
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), WireError> {
        let number = index.checked_sub(1).ok_or(WireError::Protocol("header index 0"))?;
        if let Some((name, value)) = STATIC.get(number) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.dynamic.get(number - STATIC.len());
        entry.map(|entry| (&*entry.name, &*entry.value)).ok_or(WireError::Protocol("a header index beyond the table"))
    }

    fn insert(&mut self, entry: Entry) {
        let bytes = entry.bytes();
        self.shrink_to(TABLE_BYTES.saturating_sub(bytes));
        // An entry larger than the table empties it and is not kept (RFC 7541, section 4.4).
        if bytes <= TABLE_BYTES {
            self.bytes += bytes;
            self.dynamic.push_front(entry);
        }
    }

    fn shrink_to(&mut self, bytes: usize) {
        while self.bytes > bytes {
            let Some(oldest) = self.dynamic.pop_back() else { return };
            self.bytes -= oldest.bytes();
        }
    }
}

/// An integer whose first byte shares its upper bits with something else (RFC 7541, section 5.1).
fn integer(block: &mut &[u8], prefix_bits: u32) -> Result<usize, WireError> {
    const TRUNCATED: WireError = WireError::Protocol("a header block ends within a number");
    let mut next = || {
        let (first, rest) = block.split_first().ok_or(TRUNCATED)?;
        *block = rest;
        Ok::<usize, WireError>(usize::from(*first))
    };
    let prefix_max = (1 << prefix_bits) - 1;
    let mut value = next()? & prefix_max;
    if value < prefix_max {
        return Ok(value);
    }
    // Four more bytes hold more than any header block we accept.
    for shift in [0, 7, 14, 21] {
        let byte = next()?;
        value += (byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(WireError::Protocol("a number in a header block is too large"))
}

fn string(block: &mut &[u8]) -> Result<Vec<u8>, WireError> {
    let huffman_coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(block, 7)?;
    let (text, rest) =
        block.split_at_checked(length).ok_or(WireError::Protocol("a header block ends within a string"))?;
    *block = rest;
    if huffman_coded {
        return huffman::decode(text).ok_or(WireError::Protocol("a header string is not in the Huffman code"));
    }
    Ok(text.to_vec())
}

/// Our side: the header block of a call of one method, by its path.
#[derive(Debug)]
pub(super) struct RequestHeaders {
    /// Fields that every request has, not yet in the server's table.
    common: Vec<(&'static [u8], Vec<u8>)>,
    /// Entries that we put into the server's table.
    inserted: usize,
    bytes: usize,
    /// Each method's path and the number of its entry, counted from the first that was inserted.
    paths: Vec<(&'static str, usize)>,
}

impl RequestHeaders {
    pub(super) fn new(authority: &str) -> RequestHeaders {
        let common = vec![
            (b":authority".as_slice(), authority.as_bytes().to_vec()),
            (b"content-type", b"application/grpc".to_vec()),
            (b"te", b"trailers".to_vec()),
            (b"user-agent", concat!("archipel-bench/", env!("CARGO_PKG_VERSION")).as_bytes().to_vec()),
        ];
        RequestHeaders { common, inserted: 0, bytes: 0, paths: Vec::new() }
    }

    /// Appends the header block of a call of the method `path`.
    ///
    /// # Errors
    /// [`WireError::Protocol`] when so many methods are called that the server's table would overflow.
    pub(super) fn encode(&mut self, path: &'static str, block: &mut Vec<u8>) -> Result<(), WireError> {
        block.extend([0x80 | METHOD_POST, 0x80 | SCHEME_HTTP]);
        // By number first: new insertions move the index of every older entry.
        match self.paths.iter().find(|(known, _)| *known == path) {
            Some((_, number)) => {
                let number = *number;
                self.indexed(number, block)?;
            }
            None => {
                self.paths.push((path, self.inserted));
                self.literal(b":path", path.as_bytes(), block)?;
            }
        }
        if self.common.is_empty() {
            // The common fields are entries 1 to 4: entry 0 is the first path.
            return (1..=COMMON_COUNT).try_for_each(|number| self.indexed(number, block));
        }
        let common = std::mem::take(&mut self.common);
        common.iter().try_for_each(|(name, value)| self.literal(name, value, block))
    }

    fn indexed(&self, number: usize, block: &mut Vec<u8>) -> Result<(), WireError> {
        let index = DYNAMIC_FIRST + self.inserted - 1 - number;
        let byte = u8::try_from(index).ok().filter(|index| *index < 0x7f);
        block.push(0x80 | byte.ok_or(TOO_MANY_METHODS)?);
        Ok(())
    }

    fn literal(&mut self, name: &[u8], value: &[u8], block: &mut Vec<u8>) -> Result<(), WireError> {
        block.push(0x40);
        for text in [name, value] {
            let length = u8::try_from(text.len()).ok().filter(|length| *length < 0x7f);
            block.push(length.ok_or(WireError::Protocol("a request header of 127 bytes or more"))?);
            block.extend(text);
        }
        self.inserted += 1;
        self.bytes += name.len() + value.len() + ENTRY_OVERHEAD_BYTES;
        if self.bytes > TABLE_BYTES { Err(TOO_MANY_METHODS) } else { Ok(()) }
    }
}

/// How many fields every request has besides method, scheme and path.
const COMMON_COUNT: usize = 4;
const TOO_MANY_METHODS: WireError = WireError::Protocol("more methods on one connection than the header table holds");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_s_responses_with_eviction_free_table() {
        // RFC 7541, appendix C.6.1: ":status 302", cache-control, date, location, all Huffman-coded.
        let block = [
            0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b, 0x61, 0x96, 0xd0, 0x7a, 0xbe, 0x94, 0x10,
            0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff, 0x6e,
            0x91, 0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8, 0xe9, 0xae, 0x82, 0xae, 0x43, 0xd3,
        ];
        let mut decoder = Decoder::default();
        assert_eq!(decoder.decode(&block).unwrap().http_status, Some(302));
        assert_eq!(decoder.bytes, 222, "the size that the standard states");
        // And again from the table: the fourth newest.
        assert_eq!(decoder.decode(&[0x80 | 65]).unwrap().http_status, Some(302));
    }

    #[test]
    fn trailers_literal_first_and_indexed_afterwards() {
        let mut decoder = Decoder::default();
        let mut block = vec![0x40, 11];
        block.extend(b"grpc-status\x010");
        let expected = ReplyFields { grpc_status: Some(0), ..ReplyFields::default() };
        assert_eq!(decoder.decode(&block).unwrap(), expected);
        assert_eq!(decoder.decode(&[0x80 | 62]).unwrap(), expected);
        assert!(decoder.decode(&[0x80 | 63]).is_err());
    }

    #[test]
    fn a_status_is_a_number() {
        assert_eq!([status(b"200"), status(b"0"), status(b""), status(b"2x")], [200, 0, NO_NUMBER, NO_NUMBER]);
    }

    #[test]
    fn a_full_table_drops_its_oldest_entries() {
        let mut decoder = Decoder::default();
        for _ in 0..3 {
            let mut block = vec![0x40, 1, b'x', 0x7f, 0xd1, 0x0e];
            block.extend([b'v'; 2000]);
            decoder.decode(&block).unwrap();
        }
        assert_eq!((decoder.dynamic.len(), decoder.bytes), (2, 2 * 2033));
        decoder.decode(&[0x20]).unwrap();
        assert_eq!((decoder.dynamic.len(), decoder.bytes), (0, 0));
    }

    #[test]
    fn every_cut_of_a_block_is_an_error_or_a_shorter_block() {
        let mut block = vec![0x40, 11];
        block.extend(b"grpc-status\x010");
        for length in 1..block.len() {
            assert!(Decoder::default().decode(&block[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn requests_name_each_field_once_and_then_by_its_index() {
        let mut headers = RequestHeaders::new("127.0.0.1:2379");
        let (mut first, mut second, mut other, mut again) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        headers.encode("/a", &mut first).unwrap();
        headers.encode("/a", &mut second).unwrap();
        headers.encode("/b", &mut other).unwrap();
        headers.encode("/a", &mut again).unwrap();
        assert_eq!(second, [0x83, 0x86, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63, 0x80 | 62]);
        assert_eq!(again, [0x83, 0x86, 0x80 | 67, 0x80 | 66, 0x80 | 65, 0x80 | 64, 0x80 | 63]);
        // The reader is the judge of what was written: the same table on both sides.
        let mut decoder = Decoder::default();
        decoder.decode(&first).unwrap();
        decoder.decode(&second).unwrap();
        decoder.decode(&other).unwrap();
        assert_eq!(decoder.entry(67).unwrap(), (b":path".as_slice(), b"/a".as_slice()));
        assert_eq!(decoder.entry(66).unwrap(), (b":authority".as_slice(), b"127.0.0.1:2379".as_slice()));
        assert_eq!(decoder.entry(62).unwrap(), (b":path".as_slice(), b"/b".as_slice()));
    }
}
