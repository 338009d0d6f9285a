//! Bytes as kube-apiserver stores them ⇄ [`Tree`], in both storage encodings, with unknown fields kept.

mod envelope;
mod error;
mod json;
mod normal;
mod protobuf;
mod time;
mod tree;

#[cfg(test)]
mod tests;

pub use envelope::{Decoded, Encoding, decode, encode};
pub use error::ValueError;
pub use time::time_text;
pub use tree::{Field, Tree};
