//! Runs one session: moves frames between the transport and the engine, and carries out the engine's commands. Entries come
//! from the peer's `catch-up` through `acceptor` or `dial`, and go on to the store's absorb.
//!
//! One task a session, and one worker that talks to the store, so that heartbeats and acknowledgements never wait for a
//! disk. The session ends when the peer, the engine or the registry of links ends it; its worker ends with it.

use super::engine::{Close, Command, Event, Frame, Hello, Now, Session};
use super::limits::{ABSORB_BATCHES_MAX, CONTROLS_MAX, OUTBOUND_FRAMES_MAX, SHARES_MAX, TICK_MS, TRANSPORT_FRAMES_MAX};
use super::links::{Claim, LinkUp, Links};
use super::proto;
use super::replica::Replica;
use super::wire;
use crate::clock::{monotonic_ms, now_unix_ms};
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tracing::{debug, info};
use uuid::Uuid;

/// How long the last frames may take to leave.
const FAREWELL: Duration = Duration::from_millis(500);
/// Have frames to one share that wait are one Have; this many waiting frames are looked at for one.
const COALESCE_FRAMES: usize = 64;

/// The two ends of a session's stream.
pub struct Transport {
    /// From the peer.
    pub incoming: Pin<Box<dyn Stream<Item = Result<proto::Frame, Status>> + Send>>,
    /// To the peer.
    pub outgoing: mpsc::Sender<proto::Frame>,
}

/// Who opened the session, and with whom.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The peer, as its certificate says.
    pub peer: Uuid,
    /// The site that dialled.
    pub dialled_by: Uuid,
    /// The other end's address, for people.
    pub address: String,
}

/// How a session ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// Another session with the same peer stands.
    Duplicate,
    /// The peer was revoked here, or the site stops.
    Stopped,
    /// Anything else.
    Lost(String),
}

struct Runner {
    links: Links,
    replica: Arc<dyn Replica>,
    opening: Opening,
    engine: Session,
    outbox: VecDeque<Frame>,
    jobs: mpsc::Sender<Job>,
    acks: BTreeMap<Uuid, VersionVector>,
    acking: bool,
    up: Option<LinkUp>,
    stop: CancellationToken,
}

enum Job {
    Absorb { share: Uuid, bytes: usize, entries: Vec<Bytes> },
    Control(Bytes),
    Acknowledge { share: Uuid, have: VersionVector },
}

enum Done {
    Event(Event),
    Acknowledged,
}

/// Runs a session to its end.
pub async fn run(links: Links, own: Hello, opening: Opening, mut transport: Transport) -> Ended {
    let replica = links.replica();
    let (jobs, job_queue) = mpsc::channel(ABSORB_BATCHES_MAX + CONTROLS_MAX + 1);
    let (done_sender, mut done) = mpsc::channel(TRANSPORT_FRAMES_MAX);
    let worker = tokio::spawn(work(links.clone(), opening.peer, job_queue, done_sender));
    let mut runner = Runner {
        engine: Session::new(own, opening.peer),
        links: links.clone(),
        replica: replica.clone(),
        stop: links.stop_token(opening.peer),
        opening,
        outbox: VecDeque::new(),
        jobs,
        acks: BTreeMap::new(),
        acking: false,
        up: None,
    };
    let mut changes = replica.changes();
    let mut durable = replica.durable();
    let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ended = runner.event(Event::Opened);
    while ended.is_none() {
        let event = tokio::select! {
            () = runner.stop.cancelled() => {
                ended = Some(runner.stopped());
                break;
            }
            permit = transport.outgoing.reserve(), if !runner.outbox.is_empty() => {
                match (permit, runner.outbox.pop_front()) {
                    (Ok(permit), Some(frame)) => permit.send(wire::encode(frame)),
                    _ => ended = Some(Ended::Lost("the connection broke".into())),
                }
                continue;
            }
            frame = transport.incoming.next() => match frame {
                Some(Ok(frame)) => match wire::decode(frame) {
                    Ok(frame) => Event::Received(frame),
                    Err(e) => {
                        runner.outbox.push_back(Frame::Goodbye(format!("you broke the link protocol: {e}")));
                        ended = Some(Ended::Lost(Close::Protocol(e.to_string()).to_string()));
                        break;
                    }
                },
                Some(Err(status)) => {
                    ended = Some(Ended::Lost(format!("the connection broke: {}", describe(&status))));
                    break;
                }
                None => {
                    ended = Some(Ended::Lost("the connection was closed".into()));
                    break;
                }
            },
            Some(done) = done.recv() => match done {
                Done::Event(event) => event,
                Done::Acknowledged => {
                    runner.acking = false;
                    runner.acknowledge_next();
                    continue;
                }
            },
            Ok(()) = changes.changed() => {
                changes.borrow_and_update();
                Event::Changed
            }
            Ok(()) = durable.changed() => {
                durable.borrow_and_update();
                Event::Durable
            }
            _ = tick.tick() => Event::Tick,
        };
        let is_tick = matches!(event, Event::Tick);
        ended = runner.event(event);
        if is_tick {
            runner.publish();
        }
    }
    worker.abort();
    runner.farewell(&transport.outgoing).await;
    let ended = ended.unwrap_or(Ended::Stopped);
    if let Some(up) = runner.up.take() {
        info!(peer = %runner.opening.peer, "link down: {ended:?}");
        up.down(&ended);
    }
    ended
}

/// Does one after another what the store has to do for a session.
async fn work(links: Links, peer: Uuid, mut jobs: mpsc::Receiver<Job>, done: mpsc::Sender<Done>) {
    let replica = links.replica();
    while let Some(job) = jobs.recv().await {
        let result = match job {
            Job::Absorb { share, bytes, entries } => {
                let outcome = replica.absorb(share, peer, entries).await;
                Done::Event(Event::Absorbed { share, bytes, outcome })
            }
            Job::Control(message) => {
                let outcome = match links.book().peer(peer) {
                    Some(known) => replica.control(peer, &known.name, &message).await,
                    None => Err("not a peer any more".into()),
                };
                Done::Event(Event::ControlHandled { outcome })
            }
            Job::Acknowledge { share, have } => {
                if let Err(reason) = replica.acknowledged(share, peer, have).await {
                    debug!(%share, "acknowledgement not noted: {reason}");
                }
                Done::Acknowledged
            }
        };
        if done.send(result).await.is_err() {
            return;
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Runner {
    /// Hands an event to the engine and carries out its commands. Some(…) ends the session.
    fn event(&mut self, event: Event) -> Option<Ended> {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = Now { monotonic_ms: monotonic_ms(), unix_ms: now_unix_ms() };
            for command in self.engine.handle(now, event) {
                if let Some(ended) = self.carry_out(command, &mut events) {
                    return Some(ended);
                }
            }
        }
        (self.outbox.len() > OUTBOUND_FRAMES_MAX).then(|| Ended::Lost("the peer does not read".into()))
    }

    fn carry_out(&mut self, command: Command, events: &mut VecDeque<Event>) -> Option<Ended> {
        let peer = self.opening.peer;
        match command {
            Command::Send(frame) => self.send(frame),
            Command::Established { name, addresses, version } => {
                return self.established(&name, addresses, version);
            }
            Command::Refresh => {
                let active = self.replica.active_shares(peer);
                events.push_back(Event::Refreshed { active, greetings: self.replica.greetings(peer) });
            }
            Command::Read { share, after, bytes_max } => {
                let entries = self.replica.entries_after(share, &after, bytes_max);
                events.push_back(Event::Read { share, entries });
            }
            Command::Absorb { share, bytes, entries } => return self.job(Job::Absorb { share, bytes, entries }),
            Command::HandleControl(message) => return self.job(Job::Control(message)),
            Command::Acknowledge { share, have } => {
                if self.acks.len() < SHARES_MAX || self.acks.contains_key(&share) {
                    self.acks.insert(share, have);
                }
                self.acknowledge_next();
            }
            Command::Close(why) => return Some(Ended::Lost(why.to_string())),
        }
        None
    }

    fn established(&mut self, name: &str, addresses: Vec<String>, version: String) -> Option<Ended> {
        match self.links.claim(&self.opening, version) {
            Claim::Stands(up) => {
                info!(peer = name, address = %self.opening.address, "link up");
                self.stop = up.stop.clone();
                self.up = Some(up);
                self.links.learn_addresses(self.opening.peer, addresses);
                None
            }
            Claim::Duplicate => {
                self.outbox.push_back(Frame::Goodbye("another connection between the two sites stands".into()));
                Some(Ended::Duplicate)
            }
            Claim::NotAPeer => Some(Ended::Stopped),
        }
    }

    fn job(&mut self, job: Job) -> Option<Ended> {
        // The engine bounds what it hands out below the queue's capacity.
        self.jobs.try_send(job).err().map(|_| Ended::Lost("the store does not keep up".into()))
    }

    /// One acknowledgement is noted at a time, the newest of each share.
    fn acknowledge_next(&mut self) {
        if self.acking {
            return;
        }
        if let Some((share, have)) = self.acks.pop_first() {
            self.acking = self.jobs.try_send(Job::Acknowledge { share, have }).is_ok();
        }
    }

    fn send(&mut self, frame: Frame) {
        if let Frame::Have { share, stream, ask, .. } = &frame {
            let waiting = self.outbox.iter_mut().rev().take(COALESCE_FRAMES).find(|waiting| {
                matches!(waiting, Frame::Have { share: s, stream: n, ask: a, .. } if (s, n, a) == (share, stream, ask))
            });
            if let Some(waiting) = waiting {
                *waiting = frame;
                return;
            }
        }
        self.outbox.push_back(frame);
    }

    fn publish(&self) {
        if let Some(up) = &self.up {
            up.publish(&self.engine, monotonic_ms());
        }
    }

    fn stopped(&mut self) -> Ended {
        let replaced = self.links.is_peer(self.opening.peer) && !self.links.is_stopping();
        let reason = if replaced { "another connection between the two sites stands" } else { "the link was ended" };
        self.outbox.push_back(Frame::Goodbye(reason.into()));
        if replaced { Ended::Duplicate } else { Ended::Stopped }
    }

    async fn farewell(&mut self, outgoing: &mpsc::Sender<proto::Frame>) {
        let frames = std::mem::take(&mut self.outbox);
        let last = async {
            for frame in frames {
                if outgoing.send(wire::encode(frame)).await.is_err() {
                    return;
                }
            }
        };
        // Best effort: a peer that does not read loses them.
        let _ = tokio::time::timeout(FAREWELL, last).await;
    }
}

fn describe(status: &Status) -> String {
    if status.message().is_empty() { status.code().to_string() } else { status.message().to_owned() }
}
