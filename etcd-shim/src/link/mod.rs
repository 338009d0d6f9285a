//! Links between sites: one mutually authenticated connection a pair, one session on it.

pub mod limits;

pub mod replica;

pub mod backoff;
pub mod engine;

pub mod tls;
pub(crate) mod wire;

pub mod acceptor;
pub mod dial;
pub mod dialer;
pub mod links;
pub mod session;

mod on_store;
mod service;

#[cfg(test)]
pub(crate) mod tests;

/// The session protocol as protobuf.
pub mod proto {
    #![allow(missing_docs)]
    tonic::include_proto!("archipel.link.v1");
}

pub use links::{LinkState, LinkStatus, Links, StreamStatus};
pub use on_store::OnStore;
pub use service::{Config, Running, StartError, start};
