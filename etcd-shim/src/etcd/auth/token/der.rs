//! As much of PEM and DER as keys need. Lengths are checked; what does not fit is None.

use base64::{Engine, engine::general_purpose::STANDARD};

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
/// The tag `[1]` of an explicit field.
pub(super) const FIELD_1: u8 = 0xa1;

/// One PEM block.
#[derive(Debug)]
pub(super) struct Pem {
    /// What stands after BEGIN.
    pub(super) label: String,
    /// The bytes.
    pub(super) der: Vec<u8>,
}

/// All blocks of a text, in order.
pub(super) fn pem_blocks(text: &str) -> Vec<Pem> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let Some((label, body)) = after.split_once("-----") else { break };
        let Some((body, next)) = body.split_once(&format!("-----END {label}-----")) else { break };
        let base64: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
        if let Ok(der) = STANDARD.decode(base64) {
            blocks.push(Pem { label: label.to_owned(), der });
        }
        rest = next;
    }
    blocks
}

/// One element: its tag, its content, and what follows it.
pub(super) fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        // Keys are short: four bytes of length are more than enough, and no length is indefinite.
        let (digits, rest) =
            rest.split_at_checked(usize::from(first & 0x7f)).filter(|_| first > 0x80 && first <= 0x84)?;
        (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The content of the first element, if it has this tag, and what follows.
pub(super) fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    element(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// The bytes of a bit string that holds whole bytes.
pub(super) fn bit_string(bytes: &[u8]) -> Option<&[u8]> {
    let (content, _) = expect(bytes, BIT_STRING)?;
    content.split_first().filter(|(unused, _)| **unused == 0).map(|(_, bits)| bits)
}

/// The key in a SubjectPublicKeyInfo.
pub(super) fn public_key_of_info(der: &[u8]) -> Option<&[u8]> {
    let (info, _) = expect(der, SEQUENCE)?;
    let (_algorithm, key) = expect(info, SEQUENCE)?;
    bit_string(key)
}

/// The private and the public part of an ECPrivateKey (SEC 1).
pub(super) fn ec_private_key(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (fields, _) = expect(der, SEQUENCE)?;
    let (_version, fields) = expect(fields, INTEGER)?;
    let (private, mut fields) = expect(fields, OCTET_STRING)?;
    loop {
        let (tag, content, rest) = element(fields)?;
        if tag == FIELD_1 {
            return Some((private, bit_string(content)?));
        }
        fields = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_input_is_none() {
        let whole = [SEQUENCE, 7, SEQUENCE, 1, 9, BIT_STRING, 2, 0, 5];
        assert_eq!(public_key_of_info(&whole), Some(&[5][..]));
        for length in 0..whole.len() {
            assert_eq!(public_key_of_info(&whole[..length]), None, "{length}");
        }
        for wrong in
            [&[SEQUENCE, 0x80][..], &[SEQUENCE, 0x85, 0, 0, 0, 0, 0], &[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]]
        {
            assert_eq!(element(wrong), None);
        }
        assert_eq!(element(&[SEQUENCE, 0x81, 1, 7, 8]), Some((SEQUENCE, &[7][..], &[8][..])));
    }

    #[test]
    fn blocks_are_found_in_any_text() {
        let text = "a key\n-----BEGIN X-----\nAQID\n-----END X-----\n-----BEGIN Y-----\nBA==\n-----END Y-----\n-----BEGIN Z-----\n";
        let blocks = pem_blocks(text);
        assert_eq!(blocks.iter().map(|pem| pem.label.as_str()).collect::<Vec<_>>(), ["X", "Y"]);
        assert_eq!(blocks[0].der, [1, 2, 3]);
    }
}
