//! One session with one peer, as a pure state machine: events in, commands out; no clock, no randomness, no I/O.
//!
//! Invariants:
//! - Nothing but Hello is sent or taken before the peer's Hello was checked.
//! - Entries and Have are sent and taken for active shares only, on both sides of the link (F1, F2: what is not shared
//!   with that peer is answered like what does not exist).
//! - Every queue that the peer can fill is bounded; a peer that goes over a bound loses the session, not this site.

use super::super::limits::{
    ABSORB_BATCHES_MAX, ABSORB_BYTES_MAX, CONTROLS_MAX, HANDSHAKE_MS, HEARTBEAT_MS, HELD_RETRY_MS, PROTOCOL,
    READ_BYTES_MAX, SHARES_MAX, SILENCE_MS,
};
use super::event::{Close, Command, Event, Fault, Now};
use super::frame::{Frame, Hello, Outgoing};
use super::stream::{Inbound, Intake, Outbound, Progress, SET_BACK};
use archipel_crdt::dot::ActorId;
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What a frame of a share that is not active with the peer is answered. It says nothing about whether the share exists.
pub const NOT_SHARED: &str = "no such share with this site";

/// The state of a session.
#[derive(Debug)]
pub struct Session {
    own: Hello,
    peer: Uuid,
    phase: Phase,
    peer_actor: ActorId,
    shares: BTreeMap<Uuid, ShareLink>,
    greeted: Vec<Bytes>,
    stream_last: u64,
    refreshing: bool,
    changed_while_refreshing: bool,
    controls_waiting: usize,
    batches_waiting: usize,
    opened_ms: u64,
    heard_ms: u64,
    progress_ms: u64,
    counters: Counters,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Ours is sent, the peer's is awaited.
    AwaitHello,
    Open,
    Closed,
}

/// One active share.
#[derive(Clone, Debug)]
pub struct ShareLink {
    /// What this site holds.
    pub have: VersionVector,
    /// From here to the peer.
    pub outbound: Outbound,
    /// From the peer to here.
    pub inbound: Inbound,
    /// Since when this site has entries that the peer did not acknowledge (monotonic milliseconds).
    pub unacknowledged_since_ms: Option<u64>,
    /// Number of an entry of this site that the peer holds and this site does not know; 0 if there is none.
    claimed: u64,
}

/// What is counted for status and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Entries sent.
    pub entries_sent: u64,
    /// Bytes of entries sent.
    pub entry_bytes_sent: u64,
    /// Entries that the store took.
    pub entries_received: u64,
    /// Bytes of entries received.
    pub entry_bytes_received: u64,
    /// Frames with entries for a share that is not active with the peer.
    pub frames_refused: u64,
    /// Entries that a stopped or restarted stream dropped.
    pub frames_dropped: u64,
    /// The peer's clock minus ours at its last heartbeat, in milliseconds (the way here included).
    pub peer_clock_ahead_ms: i64,
}

impl Session {
    /// A session of the site `own` with the peer whose certificate says `peer`.
    pub fn new(own: Hello, peer: Uuid) -> Self {
        Self {
            own,
            peer,
            phase: Phase::AwaitHello,
            peer_actor: ActorId::default(),
            shares: BTreeMap::new(),
            greeted: Vec::new(),
            stream_last: 0,
            refreshing: false,
            changed_while_refreshing: false,
            controls_waiting: 0,
            batches_waiting: 0,
            opened_ms: 0,
            heard_ms: 0,
            progress_ms: 0,
            counters: Counters::default(),
        }
    }

    /// Active shares with their streams, in share order.
    pub fn shares(&self) -> impl Iterator<Item = (Uuid, &ShareLink)> {
        self.shares.iter().map(|(&share, link)| (share, link))
    }

    /// Counters of this session.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The incarnation of the peer's store; zero before its Hello.
    pub fn peer_actor(&self) -> ActorId {
        self.peer_actor
    }

    /// Takes one event and says what to do. After a [`Command::Close`] every event is ignored.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Command> {
        let mut out = Vec::new();
        if self.phase == Phase::Closed {
            return out;
        }
        match event {
            Event::Opened => {
                self.opened_ms = now.monotonic_ms;
                self.heard_ms = now.monotonic_ms;
                out.push(Command::Send(Frame::Hello(self.own.clone())));
            }
            Event::Received(frame) => {
                self.heard_ms = now.monotonic_ms;
                self.received(now, frame, &mut out);
            }
            Event::Changed => self.refresh(&mut out),
            Event::Durable => self.read_again(&mut out),
            Event::Refreshed { active, greetings } => self.refreshed(now, active, greetings, &mut out),
            Event::Read { share, entries } => self.read(share, entries, &mut out),
            Event::Absorbed { share, bytes, outcome } => self.absorbed(now, share, bytes, outcome, &mut out),
            Event::ControlHandled { outcome } => self.control_handled(outcome, &mut out),
            Event::Tick => self.tick(now, &mut out),
        }
        out
    }

    fn received(&mut self, now: Now, frame: Frame, out: &mut Vec<Command>) {
        match (self.phase, frame) {
            (_, Frame::Goodbye(reason)) => self.close(Close::ByPeer(reason), out),
            (Phase::AwaitHello, Frame::Hello(hello)) => self.hello(now, hello, out),
            (Phase::AwaitHello, _) => self.close(Close::Protocol("its first frame is not Hello".into()), out),
            (_, Frame::Hello(_)) => self.close(Close::Protocol("it sent Hello twice".into()), out),
            (_, Frame::Control(message)) => {
                if self.controls_waiting == CONTROLS_MAX {
                    return self.close(Close::Protocol("it floods control messages".into()), out);
                }
                self.controls_waiting += 1;
                out.push(Command::HandleControl(message));
            }
            (_, Frame::Have { share, seen, stream, ask }) => self.have(now, share, seen, stream, ask, out),
            (_, Frame::Entries { share, stream, entries }) => self.entries(share, stream, entries, out),
            (_, Frame::Progress { unix_ms, newest }) => self.progress(now, unix_ms, newest),
            (_, Frame::Refused { share, stream, reason }) => {
                if let Some(link) = self.shares.get_mut(&share) {
                    link.outbound.refused(stream, &reason);
                }
            }
        }
    }

    fn hello(&mut self, now: Now, hello: Hello, out: &mut Vec<Command>) {
        if hello.protocol != PROTOCOL {
            return self.close(Close::Version { theirs: hello.protocol, ours: PROTOCOL }, out);
        }
        if hello.site_id == self.own.site_id {
            return self.close(Close::Identity("the peer's address leads to this site itself; correct it".into()), out);
        }
        if hello.site_id != self.peer {
            let text = format!("the peer says it is site {}, its certificate says {}", hello.site_id, self.peer);
            return self.close(Close::Identity(text), out);
        }
        if hello.actor == self.own.actor {
            let text = "the peer runs on a copy of this site's data; remove the data directory of one of them";
            return self.close(Close::Identity(text.into()), out);
        }
        self.phase = Phase::Open;
        self.peer_actor = hello.actor;
        self.progress_ms = now.monotonic_ms;
        out.push(Command::Established { name: hello.name, addresses: hello.addresses, version: hello.version });
        self.refresh(out);
    }

    fn have(&mut self, now: Now, share: Uuid, seen: VersionVector, stream: u64, ask: bool, out: &mut Vec<Command>) {
        // The peer may learn before us that a share became active; it hears our Have, which asks, when we do.
        let Some(link) = self.shares.get_mut(&share) else { return };
        // More than this site knew of at its last refresh and more than it sent. It may have been sent by the session before
        // this one; if a fresh look does not show it, it is not from this store's life.
        let own = self.own.actor;
        let claimed = seen.get(own);
        let is_ahead = claimed > link.have.get(own).max(link.outbound.sent.get(own));
        let acked_before = link.outbound.acked.clone();
        link.outbound.have(seen, stream);
        if is_ahead {
            link.claimed = claimed;
        } else if link.outbound.acked != acked_before {
            out.push(Command::Acknowledge { share, have: link.outbound.acked.clone() });
        }
        link.note_lag(now, self.own.actor, self.peer_actor);
        if ask {
            out.push(Command::Send(link.have_frame(share)));
        }
        link.read_on(share, out);
        if is_ahead {
            self.refresh(out);
        }
    }

    fn entries(&mut self, share: Uuid, stream: u64, entries: Vec<Bytes>, out: &mut Vec<Command>) {
        let Some(link) = self.shares.get_mut(&share) else {
            self.counters.frames_refused += 1;
            out.push(Command::Send(Frame::Refused { share, stream, reason: NOT_SHARED.into() }));
            return;
        };
        if stream != link.inbound.stream || link.inbound.intake != Intake::Open {
            self.counters.frames_dropped += 1;
            return;
        }
        let bytes: usize = entries.iter().map(Bytes::len).sum();
        link.inbound.queued_bytes += bytes;
        self.batches_waiting += 1;
        if link.inbound.queued_bytes > ABSORB_BYTES_MAX || self.batches_waiting > ABSORB_BATCHES_MAX {
            return self.close(Close::Protocol("it sends more than its window".into()), out);
        }
        self.counters.entry_bytes_received += bytes as u64;
        self.counters.entries_received += entries.len() as u64;
        out.push(Command::Absorb { share, bytes, entries });
    }

    fn progress(&mut self, now: Now, unix_ms: u64, newest: Vec<(Uuid, u64)>) {
        self.counters.peer_clock_ahead_ms =
            i64::try_from(i128::from(unix_ms) - i128::from(now.unix_ms)).unwrap_or(i64::MAX);
        for (share, n) in newest {
            if let Some(link) = self.shares.get_mut(&share) {
                link.inbound.peer_newest = n;
                link.note_lag(now, self.own.actor, self.peer_actor);
            }
        }
    }

    fn refresh(&mut self, out: &mut Vec<Command>) {
        if self.phase != Phase::Open {
            return;
        }
        if self.refreshing {
            self.changed_while_refreshing = true;
            return;
        }
        self.refreshing = true;
        out.push(Command::Refresh);
    }

    fn refreshed(
        &mut self,
        now: Now,
        active: Vec<(Uuid, VersionVector)>,
        greetings: Vec<Bytes>,
        out: &mut Vec<Command>,
    ) {
        self.refreshing = false;
        if greetings != self.greeted {
            out.extend(greetings.iter().cloned().map(|message| Command::Send(Frame::Control(message))));
            self.greeted = greetings;
        }
        let mut before = std::mem::take(&mut self.shares);
        for (share, have) in active.into_iter().take(SHARES_MAX) {
            let link = match before.remove(&share) {
                Some(mut link) => {
                    link.advance(&have, self.own.actor);
                    if link.claimed > link.have.get(self.own.actor) {
                        link.outbound.stop(SET_BACK.to_owned());
                    } else if std::mem::take(&mut link.claimed) > 0 {
                        out.push(Command::Acknowledge { share, have: link.outbound.acked.clone() });
                    }
                    link
                }
                None => {
                    self.stream_last += 1;
                    let link = ShareLink::new(have, self.stream_last);
                    out.push(Command::Send(link.have_frame(share)));
                    link
                }
            };
            let link = self.shares.entry(share).or_insert(link);
            link.outbound.knows(self.peer_actor, link.have.get(self.peer_actor));
            link.note_lag(now, self.own.actor, self.peer_actor);
            link.read_on(share, out);
        }
        if self.changed_while_refreshing {
            self.changed_while_refreshing = false;
            self.refresh(out);
        }
    }

    fn read(&mut self, share: Uuid, entries: Vec<Outgoing>, out: &mut Vec<Command>) {
        // Scope is checked again here: the share may have been detached while it was read.
        let Some(link) = self.shares.get_mut(&share) else { return };
        let entries = link.outbound.take(&link.have, entries);
        if !entries.is_empty() {
            let entries: Vec<Bytes> = entries.into_iter().map(|entry| entry.bytes).collect();
            self.counters.entries_sent += entries.len() as u64;
            self.counters.entry_bytes_sent += entries.iter().map(|entry| entry.len() as u64).sum::<u64>();
            out.push(Command::Send(Frame::Entries { share, stream: link.outbound.stream, entries }));
        }
        link.read_on(share, out);
    }

    fn read_again(&mut self, out: &mut Vec<Command>) {
        for (&share, link) in &mut self.shares {
            if link.outbound.is_exhausted() {
                link.outbound.retry();
                link.read_on(share, out);
            }
        }
    }

    fn absorbed(
        &mut self,
        now: Now,
        share: Uuid,
        bytes: usize,
        outcome: Result<VersionVector, Fault>,
        out: &mut Vec<Command>,
    ) {
        self.batches_waiting = self.batches_waiting.saturating_sub(1);
        let Some(link) = self.shares.get_mut(&share) else { return };
        link.inbound.queued_bytes = link.inbound.queued_bytes.saturating_sub(bytes);
        match outcome {
            Ok(have) => {
                link.have.join(&have);
                link.outbound.knows(self.peer_actor, link.have.get(self.peer_actor));
                link.note_lag(now, self.own.actor, self.peer_actor);
                out.push(Command::Send(link.have_frame(share)));
            }
            Err(Fault::Fatal(reason)) => self.close(Close::Stopped(reason), out),
            // What was queued behind the batch that failed fails too; the first reason stands.
            Err(_) if link.inbound.intake != Intake::Open => {}
            Err(Fault::Held { retry_ms, reason }) => {
                let wait_ms = if retry_ms == 0 { HELD_RETRY_MS } else { retry_ms };
                link.inbound.intake = Intake::Held { until_ms: now.monotonic_ms + wait_ms, reason };
            }
            Err(Fault::Bad(reason)) => {
                out.push(Command::Send(link.refuse(share, reason)));
            }
            Err(Fault::NotActive) => {
                self.counters.frames_refused += 1;
                out.push(Command::Send(link.refuse(share, NOT_SHARED.into())));
                self.refresh(out);
            }
        }
    }

    fn control_handled(&mut self, outcome: Result<Vec<Bytes>, String>, out: &mut Vec<Command>) {
        self.controls_waiting = self.controls_waiting.saturating_sub(1);
        match outcome {
            Ok(replies) => out.extend(replies.into_iter().map(|message| Command::Send(Frame::Control(message)))),
            Err(reason) => return self.close(Close::Protocol(format!("a control message was refused: {reason}")), out),
        }
        self.refresh(out);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Command>) {
        let silence_ms = now.monotonic_ms.saturating_sub(self.heard_ms);
        let silence_ms_max = if self.phase == Phase::AwaitHello { HANDSHAKE_MS } else { SILENCE_MS };
        if silence_ms >= silence_ms_max {
            return self.close(Close::Silence { silence_ms }, out);
        }
        if self.phase != Phase::Open {
            return;
        }
        for (&share, link) in &mut self.shares {
            let due = matches!(link.inbound.intake, Intake::Held { until_ms, .. } if until_ms <= now.monotonic_ms);
            if due && link.inbound.queued_bytes == 0 {
                self.stream_last += 1;
                let peer_newest = link.inbound.peer_newest;
                let behind_since_ms = link.inbound.behind_since_ms;
                link.inbound = Inbound { peer_newest, behind_since_ms, ..Inbound::new(self.stream_last) };
                out.push(Command::Send(link.have_frame(share)));
            }
        }
        self.read_again(out);
        if now.monotonic_ms.saturating_sub(self.progress_ms) >= HEARTBEAT_MS {
            self.progress_ms = now.monotonic_ms;
            let own = self.own.actor;
            let newest = self.shares.iter().map(|(&share, link)| (share, link.have.get(own))).collect();
            out.push(Command::Send(Frame::Progress { unix_ms: now.unix_ms, newest }));
        }
    }

    fn close(&mut self, why: Close, out: &mut Vec<Command>) {
        self.phase = Phase::Closed;
        if !matches!(why, Close::ByPeer(_)) {
            out.push(Command::Send(Frame::Goodbye(why.to_peer())));
        }
        out.push(Command::Close(why));
    }
}

impl ShareLink {
    fn new(have: VersionVector, stream: u64) -> Self {
        Self {
            have,
            outbound: Outbound::new(),
            inbound: Inbound::new(stream),
            unacknowledged_since_ms: None,
            claimed: 0,
        }
    }

    /// Takes over what the site holds now. Only its own part: what it holds of the peer counts when it is durable, which
    /// the answer to Absorb says.
    fn advance(&mut self, have: &VersionVector, own: ActorId) {
        self.have.advance(own, have.get(own));
    }

    fn have_frame(&self, share: Uuid) -> Frame {
        let ask = self.outbound.progress == Progress::Probe;
        Frame::Have { share, seen: self.have.clone(), stream: self.inbound.stream, ask }
    }

    fn refuse(&mut self, share: Uuid, reason: String) -> Frame {
        self.inbound.intake = Intake::Stopped(reason.clone());
        Frame::Refused { share, stream: self.inbound.stream, reason }
    }

    fn read_on(&mut self, share: Uuid, out: &mut Vec<Command>) {
        if self.outbound.wants_read(&self.have) {
            let after = self.outbound.start_read();
            out.push(Command::Read { share, after, bytes_max: READ_BYTES_MAX });
        }
    }

    fn note_lag(&mut self, now: Now, own: ActorId, peer: ActorId) {
        let behind = self.have.get(peer) < self.inbound.peer_newest;
        self.inbound.behind_since_ms = behind.then(|| self.inbound.behind_since_ms.unwrap_or(now.monotonic_ms));
        let ahead = self.outbound.acked.get(own) < self.have.get(own);
        self.unacknowledged_since_ms = ahead.then(|| self.unacknowledged_since_ms.unwrap_or(now.monotonic_ms));
    }
}

impl Close {
    /// What the peer is told: its own mistake, never more about this site than it needs.
    fn to_peer(&self) -> String {
        match self {
            Close::Stopped(_) => "the site is stopping".into(),
            Close::Protocol(what) => format!("you broke the link protocol: {what}"),
            other => other.to_string(),
        }
    }
}
