//! Bytes as kube-apiserver stores them ⇄ [`Tree`], in both storage encodings, with unknown fields kept.

mod tree;

pub use tree::{Field, Tree};
