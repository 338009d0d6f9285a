//! What two sites say to each other, as the engine sees it. `wire` converts from and to protobuf.

use archipel_crdt::dot::{ActorId, Dot};
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use uuid::Uuid;

/// One message of a session.
#[derive(Clone, PartialEq, Debug)]
pub enum Frame {
    /// Who the sender is; the first frame in both directions, and only that.
    Hello(Hello),
    /// A message of the share protocol.
    Control(Bytes),
    /// What the sender holds durably of a share: an acknowledgement and, with a new stream number, a (re)start.
    Have {
        /// The share.
        share: Uuid,
        /// Applied and durable at the sender.
        seen: VersionVector,
        /// Number that Entries in answer to this must carry.
        stream: u64,
        /// The sender does not know the receiver's Have.
        ask: bool,
    },
    /// Entries that the receiver lacks.
    Entries {
        /// The share.
        share: Uuid,
        /// The receiver's stream number.
        stream: u64,
        /// In causal order.
        entries: Vec<Bytes>,
    },
    /// The heartbeat.
    Progress {
        /// The sender's clock, Unix time in milliseconds.
        unix_ms: u64,
        /// For every active share, the number of the sender's own newest entry.
        newest: Vec<(Uuid, u64)>,
    },
    /// The sender takes no more entries on this stream.
    Refused {
        /// The share.
        share: Uuid,
        /// The stream that ends.
        stream: u64,
        /// Why.
        reason: String,
    },
    /// The sender closes the session.
    Goodbye(String),
}

/// Introduction of a site.
#[derive(Clone, PartialEq, Debug)]
pub struct Hello {
    /// Protocol version of the sender.
    pub protocol: u32,
    /// The sender's site id.
    pub site_id: Uuid,
    /// Its name.
    pub name: String,
    /// The incarnation of its store.
    pub actor: ActorId,
    /// Where it can be dialled, `host:port`.
    pub addresses: Vec<String>,
    /// Release of the sender, for people.
    pub version: String,
}

/// An entry that was read for sending.
#[derive(Clone, PartialEq, Debug)]
pub struct Outgoing {
    /// Its dot; moves the sender's watermark.
    pub dot: Dot,
    /// Encoded.
    pub bytes: Bytes,
}
