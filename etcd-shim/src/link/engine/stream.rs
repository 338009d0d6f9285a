//! The two directions of one share in one session.
//!
//! Outbound, a stream is in one of three states:
//! ```text
//!          peer's Have              peer's Refused
//!  Probe ─────────────► Replicate ─────────────────► Stopped
//!                        ▲  │ peer's Have, same stream: acknowledgement
//!                        └──┘ peer's Have, higher stream: restart (also from Stopped)
//! ```
//! Invariants: `acked <= sent`; every batch in flight lies between them; at most one read is under way; bytes in flight
//! stay within the window plus one read.

use super::super::limits::{IN_FLIGHT_BYTES_MAX, IN_FLIGHT_ENTRIES_MAX};
use super::frame::Outgoing;
use archipel_crdt::dot::ActorId;
use archipel_crdt::version_vector::VersionVector;
use std::collections::VecDeque;

/// Why a stream stops at a peer that lost what it had acknowledged.
pub const TRIMMED: &str = "the peer asks for entries that were trimmed after it had acknowledged them; \
                           detach the share there and attach it again";

/// Why a stream stops when the peer remembers a future that this site does not have (E4: nothing of a store that was set
/// back may leave under numbers that were used before).
pub const SET_BACK: &str = "the peer holds more of this site's entries than this site made: the store was set back to an \
                            earlier state; detach the share here and attach it again";

/// Where the outbound direction stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Progress {
    /// What the peer holds is not known yet; nothing is sent.
    Probe,
    /// Entries flow.
    Replicate,
    /// Nothing is sent until the peer asks again, for this reason.
    Stopped(String),
}

/// Entries from here to the peer.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// State.
    pub progress: Progress,
    /// The peer's stream number.
    pub stream: u64,
    /// What the peer holds or will hold when all in flight arrived.
    pub sent: VersionVector,
    /// What the peer holds durably.
    pub acked: VersionVector,
    /// A read is under way; it was started for this stream.
    reading: Option<u64>,
    /// The last read found nothing, when this site held this much.
    exhausted: Option<VersionVector>,
    in_flight: VecDeque<Batch>,
    bytes: usize,
    entries: usize,
}

#[derive(Clone, Debug)]
struct Batch {
    upto: VersionVector,
    bytes: usize,
    entries: usize,
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbound {
    /// The direction before the peer said what it holds.
    pub fn new() -> Self {
        Self {
            progress: Progress::Probe,
            stream: 0,
            sent: VersionVector::new(),
            acked: VersionVector::new(),
            reading: None,
            exhausted: None,
            in_flight: VecDeque::new(),
            bytes: 0,
            entries: 0,
        }
    }

    /// The peer said what it holds. A higher stream number (re)starts the stream from there.
    pub fn have(&mut self, seen: VersionVector, stream: u64) {
        if stream > self.stream {
            *self = Self { progress: Progress::Replicate, stream, reading: self.reading, ..Self::new() };
            self.sent = seen.clone();
        } else {
            while self.in_flight.front().is_some_and(|batch| seen.covers(&batch.upto)) {
                if let Some(batch) = self.in_flight.pop_front() {
                    self.bytes -= batch.bytes;
                    self.entries -= batch.entries;
                }
            }
            self.sent.join(&seen);
        }
        self.acked.join(&seen);
        debug_assert!(self.sent.covers(&self.acked), "acked runs ahead of sent");
    }

    /// True if a read should be started now, `own` being what this site holds.
    pub fn wants_read(&self, own: &VersionVector) -> bool {
        self.progress == Progress::Replicate
            && self.reading.is_none()
            && self.bytes < IN_FLIGHT_BYTES_MAX
            && self.entries < IN_FLIGHT_ENTRIES_MAX
            && !self.sent.covers(own)
            && self.exhausted.as_ref() != Some(own)
    }

    /// True if a read found nothing although there is something: it was not durable yet.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted.is_some()
    }

    /// The next read may find what the last one did not.
    pub fn retry(&mut self) {
        self.exhausted = None;
    }

    /// The peer holds its own entries, whether it said so or not.
    pub fn knows(&mut self, peer: ActorId, n: u64) {
        self.sent.advance(peer, n);
    }

    /// Notes that a read was started and returns where it starts.
    pub fn start_read(&mut self) -> VersionVector {
        self.reading = Some(self.stream);
        self.sent.clone()
    }

    /// Takes note of a read, `own` being what this site holds. Returns the entries to send, none if the read came to
    /// nothing or the stream was restarted meanwhile so that it does not fit. A stream whose next entry this site no
    /// longer keeps is stopped.
    pub fn take(&mut self, own: &VersionVector, read: Vec<Outgoing>) -> Vec<Outgoing> {
        let restarted = self.reading.take() != Some(self.stream);
        if self.progress != Progress::Replicate {
            return Vec::new();
        }
        // A restart moves `sent` back while a read is under way: what does not follow `sent` without a gap is dropped
        // here and read again.
        let mut out = Vec::with_capacity(read.len());
        let (mut bytes, mut gap) = (0, false);
        for entry in read {
            let next = self.sent.get(entry.dot.actor) + 1;
            if entry.dot.n > next {
                gap = true;
                break;
            }
            if entry.dot.n == next {
                self.sent.advance(entry.dot.actor, entry.dot.n);
                bytes += entry.bytes.len();
                out.push(entry);
            }
        }
        if out.is_empty() {
            if !gap {
                self.exhausted = Some(own.clone());
            } else if !restarted {
                self.progress = Progress::Stopped(TRIMMED.to_owned());
            }
            return out;
        }
        self.bytes += bytes;
        self.entries += out.len();
        self.in_flight.push_back(Batch { upto: self.sent.clone(), bytes, entries: out.len() });
        out
    }

    /// The peer takes no more on `stream`.
    pub fn refused(&mut self, stream: u64, reason: &str) {
        if stream == self.stream {
            self.stop(format!("the peer takes no entries: {reason}"));
        }
    }

    /// Nothing more is sent on this stream.
    pub fn stop(&mut self, reason: String) {
        self.progress = Progress::Stopped(reason);
        self.in_flight.clear();
        self.bytes = 0;
        self.entries = 0;
    }

    /// Bytes sent and not acknowledged.
    pub fn in_flight_bytes(&self) -> usize {
        self.bytes
    }
}

/// Whether entries from the peer are taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Intake {
    /// Yes.
    Open,
    /// Not before a time (monotonic milliseconds); then the stream is restarted.
    Held {
        /// When.
        until_ms: u64,
        /// Why.
        reason: String,
    },
    /// No; the reason went to the peer.
    Stopped(String),
}

/// Entries from the peer to here.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// State.
    pub intake: Intake,
    /// Number that entries must carry.
    pub stream: u64,
    /// Bytes that wait for the store.
    pub queued_bytes: usize,
    /// Number of the peer's own newest entry, as its last Progress said.
    pub peer_newest: u64,
    /// When the peer was first known to have entries that this site lacks (monotonic milliseconds).
    pub behind_since_ms: Option<u64>,
}

impl Inbound {
    /// A direction that asks for `stream`.
    pub fn new(stream: u64) -> Self {
        Self { intake: Intake::Open, stream, queued_bytes: 0, peer_newest: 0, behind_since_ms: None }
    }
}
