//! Protobuf, as Kubernetes' generated Go code writes and reads it, driven by the schema table.
//!
//! A field that the table does not know is kept as `#N`, or `#M.N` when it sits in the inlined struct that is field M.

mod wire;

mod decode;
mod encode;

pub(super) use decode::decode;
pub(super) use encode::encode;
#[cfg(test)]
pub(super) use wire::put_number;
pub(super) use wire::{Reader, Wire, put_bytes, put_nested};

use super::tree::{Field, Tree};
use std::collections::BTreeMap;

/// The fields of one message, those of inlined structs included.
type Fields = BTreeMap<Field, Tree>;
