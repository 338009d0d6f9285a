//! JSON, as Go writes and reads it, driven by the schema table where it knows the kind.

mod text;

mod decode;
mod encode;

pub(super) use decode::{decode, decode_unknown};
pub(super) use encode::{encode, encode_unknown};
pub(super) use text::{Escape, Json, parse, put_canonical};

use super::tree::{Field, Tree};
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use std::collections::BTreeMap;

/// The fields of one object.
type Fields = BTreeMap<Field, Tree>;

/// Go's standard encoding: padded, and lenient about the unused bits of the last character.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// The names that Go's embedded TypeMeta adds to JSON; the envelope has them for a whole object.
const TYPE_META: [&str; 2] = ["kind", "apiVersion"];
