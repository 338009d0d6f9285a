//! The admin API over gRPC: status, peers, shares, conflicts, on a socket that only its owner can open.

mod socket;
pub use socket::{SOCKET_FILE, SocketError, socket_path};

mod status;

mod services;
pub use services::{Admin, serve};

mod client;
pub use client::{ConnectError, connect};

/// The API as protobuf.
pub mod proto {
    #![allow(missing_docs)]
    tonic::include_proto!("archipel.admin.v1");
}

#[cfg(test)]
mod tests;
