//! The Huffman code of HPACK (RFC 7541, appendix B), decoding only: servers may send any literal in it.
//!
//! The code is canonical: codes of one length are consecutive, in the order of their symbols. So the lengths are the
//! whole table.

use std::sync::LazyLock;

/// Bits of each symbol's code; the last one is the end-of-string symbol, which may only appear as padding.
#[rustfmt::skip]
const CODE_BITS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The longest code.
const BITS_MAX: usize = 30;
/// Padding is shorter than a byte.
const PADDING_BITS_MAX: usize = 7;

/// The codes of one length.
#[derive(Clone, Copy, Default)]
struct Length {
    first_code: u32,
    count: u32,
    /// Where the symbols of this length begin in [`Canonical::symbols`].
    first_symbol: usize,
}

struct Canonical {
    lengths: [Length; BITS_MAX + 1],
    symbols: Vec<usize>,
}

static CANONICAL: LazyLock<Canonical> = LazyLock::new(|| {
    let mut canonical = Canonical { lengths: [Length::default(); BITS_MAX + 1], symbols: Vec::new() };
    let mut code = 0;
    for (bits, length) in canonical.lengths.iter_mut().enumerate() {
        let first_symbol = canonical.symbols.len();
        let of_this_length = CODE_BITS.iter().enumerate().filter(|(_, its_bits)| usize::from(**its_bits) == bits);
        canonical.symbols.extend(of_this_length.map(|(symbol, _)| symbol));
        let count = u32::try_from(canonical.symbols.len() - first_symbol).expect("invariant: 257 symbols");
        code <<= 1;
        *length = Length { first_code: code, count, first_symbol };
        code += count;
    }
    canonical
});

/// The bytes that `encoded` stands for; `None` when it is not a whole string of this code.
pub(super) fn decode(encoded: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(encoded.len() * 2);
    let (mut code, mut bits) = (0_u32, 0_usize);
    for byte in encoded {
        for shift in (0..8).rev() {
            code = code << 1 | u32::from(byte >> shift & 1);
            bits += 1;
            let length = CANONICAL.lengths.get(bits)?;
            let offset = code.wrapping_sub(length.first_code);
            if offset < length.count {
                let symbol = *CANONICAL.symbols.get(length.first_symbol + usize::try_from(offset).ok()?)?;
                decoded.push(u8::try_from(symbol).ok()?);
                (code, bits) = (0, 0);
            }
        }
    }
    let padding_is_ones = code == (1 << bits) - 1;
    (bits <= PADDING_BITS_MAX && padding_is_ones).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn the_examples_of_the_standard() {
        // RFC 7541, appendix C.4 and C.6.
        let examples: [(&[u8], &str); 4] = [
            (&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff], "www.example.com"),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], "no-cache"),
            (&[0x64, 0x02], "302"),
            (
                &[
                    0xd0, 0x7a, 0xbe, 0x94, 0x10, 0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66,
                    0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff,
                ],
                "Mon, 21 Oct 2013 20:13:21 GMT",
            ),
        ];
        for (encoded, text) in examples {
            assert_eq!(decode(encoded).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn padding_that_is_not_ones_or_too_long_is_refused() {
        assert_eq!(decode(&[0x18]), None);
        assert_eq!(decode(&[0x1f, 0xff]), None);
    }
}
