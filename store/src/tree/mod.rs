//! The copy-on-write counted B+tree that readers see.
//!
//! # Invariants
//! - A clone shares everything and never changes: writers copy the path that they touch, unless nobody shares it.
//! - Each inner node knows the weight below each child, so counting an interval is O(log n).

mod iter;
mod node;
mod root;

#[cfg(test)]
mod tests;

pub use iter::{Backward, Forward};
pub use root::{Entry, Tree};
