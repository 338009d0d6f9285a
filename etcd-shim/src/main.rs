//! The binary `archipel`.
fn main() {}
