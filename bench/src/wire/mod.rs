//! gRPC calls over HTTP/2 at the lowest cost: prepared messages in, checked replies out, no I/O.

mod connection;
mod error;
mod frame;
mod hpack;
mod huffman;
mod method;
pub(crate) mod protobuf;

pub(crate) use connection::{Arrival, Connection};
pub(crate) use error::WireError;
pub(crate) use method::Method;
