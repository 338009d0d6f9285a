//! TLS that lives: the certificate, the CAs and the revocations of the client listeners are read again when their files
//! change, without a restart; a handshake has a deadline.
//!
//! # Invariants
//! - What is served was read whole: certificate and key that do not belong together are never served. Until the files fit
//!   again, what was served last goes on.
//! - A client certificate was verified against the CAs, the revocations and the allowed names of its own handshake.

mod error;
pub use error::TlsError;
mod certificate;
pub use certificate::Facts;
mod clients;
mod live;
mod made;
mod server_config;
mod suites;
pub use live::LiveTls;
mod handshake;
pub use handshake::Handshakes;

#[cfg(test)]
mod tests;
