//! What TimeToLive answers.

use bytes::Bytes;

/// A lease as a client sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseInfo {
    /// Seconds until expiry, rounded down; 0 when expired but not yet revoked.
    pub remaining_s: i64,
    /// Granted time to live in seconds.
    pub granted_s: i64,
    /// Attached keys in key order, if asked for.
    pub keys: Vec<Bytes>,
}
