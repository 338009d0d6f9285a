//! Who is a peer: identity, invitation, and the book of pinned sites.

mod error;
mod identity;
mod token;

mod book;

mod pairing;
mod text;

#[cfg(test)]
pub(crate) mod tests;

/// Rows and token as protobuf.
pub mod proto {
    #![allow(missing_docs)]
    tonic::include_proto!("archipel.peer.v1");
}

pub use book::{Joining, NO_ADDRESS, Peer, PeerBook, Rows, TTL_HOURS_MAX, told};
pub use error::PeerError;
pub use identity::{Fingerprint, Identity, IdentityError, site_of_uri, site_uri};
pub use pairing::{PairingService, accept};
pub use text::{is_address, is_name};
pub use token::{Token, TokenError};
