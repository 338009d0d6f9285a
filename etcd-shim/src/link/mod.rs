//! Links between sites: one mutually authenticated connection a pair, one session on it.

pub mod limits;

pub mod replica;

pub mod backoff;
pub mod engine;
