//! What happens to a session, and what it wants done.

use super::frame::{Frame, Outgoing};
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use uuid::Uuid;

/// The time of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// Monotonic, in milliseconds from any origin.
    pub monotonic_ms: u64,
    /// Unix time, in milliseconds.
    pub unix_ms: u64,
}

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// The transport is open.
    Opened,
    /// A frame came in.
    Received(Frame),
    /// Answer to [`Command::Refresh`].
    Refreshed {
        /// Shares that are active with this peer, and what this site holds of them.
        active: Vec<(Uuid, VersionVector)>,
        /// Control messages that the peer should have.
        greetings: Vec<Bytes>,
    },
    /// Entries or states of shares changed in the store.
    Changed,
    /// More became durable in the store: a read that found nothing may find something now.
    Durable,
    /// Answer to [`Command::Read`].
    Read {
        /// The share.
        share: Uuid,
        /// In causal order; empty if there are none.
        entries: Vec<Outgoing>,
    },
    /// Answer to [`Command::Absorb`].
    Absorbed {
        /// The share.
        share: Uuid,
        /// Bytes of the batch.
        bytes: usize,
        /// What the site holds durably now, or why it took nothing.
        outcome: Result<VersionVector, Fault>,
    },
    /// Answer to [`Command::HandleControl`].
    ControlHandled {
        /// What to say to the peer, or why the message was refused.
        outcome: Result<Vec<Bytes>, String>,
    },
    /// Time passed.
    Tick,
}

/// Why a batch of entries was not absorbed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The share is not active with that peer (any more).
    NotActive,
    /// An entry is wrong. The share's stream stops; the others go on.
    Bad(String),
    /// The entries are held back, e.g. because the peer's clock is ahead. They are asked for again later.
    Held {
        /// When, in milliseconds; 0 leaves it to the engine.
        retry_ms: u64,
        /// Why.
        reason: String,
    },
    /// This site cannot acknowledge anything any more.
    Fatal(String),
}

/// Something to do. Commands of one call are carried out in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Command {
    /// Send a frame.
    Send(Frame),
    /// The peer said Hello: it is who its certificate says, and speaks our protocol.
    Established {
        /// The peer's name as it calls itself.
        name: String,
        /// Where it can be dialled.
        addresses: Vec<String>,
        /// Its release.
        version: String,
    },
    /// Read the active shares and greetings of this peer.
    Refresh,
    /// Read entries of a share.
    Read {
        /// The share.
        share: Uuid,
        /// Entries that this vector does not contain.
        after: VersionVector,
        /// Stop when the entries reach this many bytes (at least one is read).
        bytes_max: usize,
    },
    /// Hand entries to the store.
    Absorb {
        /// The share.
        share: Uuid,
        /// Bytes of the batch.
        bytes: usize,
        /// In causal order.
        entries: Vec<Bytes>,
    },
    /// The peer holds this much durably: the log may be trimmed.
    Acknowledge {
        /// The share.
        share: Uuid,
        /// What the peer holds.
        have: VersionVector,
    },
    /// Hand a control message to the share protocol.
    HandleControl(Bytes),
    /// End the session, after the frames that were sent before this.
    Close(Close),
}

/// Why a session ends.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Close {
    /// Nothing was heard for too long.
    #[error("heard nothing from the peer for {silence_ms} ms; check the network path")]
    Silence {
        /// How long.
        silence_ms: u64,
    },
    /// The peer closed.
    #[error("the peer closed the session: {0}")]
    ByPeer(String),
    /// The peer breaks the protocol or its bounds.
    #[error("the peer broke the link protocol: {0}; compare the versions of both sites")]
    Protocol(String),
    /// The peer is not who its certificate says, or is ourselves.
    #[error("{0}")]
    Identity(String),
    /// The peer speaks another protocol version.
    #[error("the peer speaks link protocol {theirs}, this site speaks {ours}; upgrade the older site")]
    Version {
        /// The peer's.
        theirs: u32,
        /// Ours.
        ours: u32,
    },
    /// This site's store stopped.
    #[error("this site stopped acknowledging: {0}; restart it")]
    Stopped(String),
}
