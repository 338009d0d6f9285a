//! Who may do what, in the order of a request: it brings credentials, they name a caller, the caller's roles permit the
//! operation. Off, all of it is one atomic load.

mod credentials;
pub use credentials::{Credentials, PeerCertificate};
mod operation;
pub use operation::Operation;
mod account;
mod authorize;
mod change;
mod keys;
mod rows;

mod password;
mod settings;
mod token;
pub use settings::{AuthSettings, AuthSettingsError};

mod guard;
pub use guard::{Auth, LoadError, Permit};

mod service;
pub(crate) use service::AuthService;

#[cfg(test)]
mod tests;
