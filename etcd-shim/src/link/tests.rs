//! Links over real TCP and TLS on loopback, with replicas in memory.

use super::engine::{Fault, Outgoing};
use super::replica::{Later, Replica, Site};
use super::*;
use crate::clock::now_unix_ms;
use crate::peer::tests::{MemoryRows, site};
use crate::peer::{PeerError, accept};
use archipel_crdt::dot::Dot;
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use uuid::Uuid;

const SHARE: Uuid = Uuid::from_u128(0xa);
const PATIENCE: Duration = Duration::from_secs(20);

/// One share, its entries in memory.
#[derive(Debug)]
struct Memory {
    site: Site,
    state: Mutex<State>,
    changes: watch::Sender<i64>,
    durable: watch::Sender<i64>,
}

#[derive(Debug, Default)]
struct State {
    active: bool,
    have: VersionVector,
    own: Vec<Bytes>,
    absorbed: Vec<Bytes>,
    acked: VersionVector,
    controls: Vec<Bytes>,
    poisoned: bool,
}

impl Memory {
    fn new(site: Site) -> Arc<Self> {
        let state = State { active: true, ..State::default() };
        let (changes, durable) = (watch::Sender::new(0), watch::Sender::new(0));
        Arc::new(Self { site, state: Mutex::new(state), changes, durable })
    }

    fn write(&self, count: usize) {
        let mut state = self.state.lock().unwrap();
        for _ in 0..count {
            let n = state.own.len() as u64 + 1;
            state.own.push(Bytes::from(format!("{}/{n}", self.site.name)));
            state.have.advance(self.site.actor, n);
        }
        drop(state);
        self.changes.send_modify(|n| *n += 1);
    }

    fn absorbed(&self) -> usize {
        self.state.lock().unwrap().absorbed.len()
    }
}

impl Replica for Memory {
    fn site(&self) -> Site {
        self.site.clone()
    }

    fn changes(&self) -> watch::Receiver<i64> {
        self.changes.subscribe()
    }

    fn durable(&self) -> watch::Receiver<i64> {
        self.durable.subscribe()
    }

    fn greetings(&self, _: Uuid) -> Vec<Bytes> {
        vec![Bytes::from_static(b"greeting")]
    }

    fn control<'a>(&'a self, _: Uuid, _: &'a str, message: &'a [u8]) -> Later<'a, Result<Vec<Bytes>, String>> {
        self.state.lock().unwrap().controls.push(Bytes::copy_from_slice(message));
        Box::pin(async { Ok(Vec::new()) })
    }

    fn active_shares(&self, _: Uuid) -> Vec<(Uuid, VersionVector)> {
        let state = self.state.lock().unwrap();
        state.active.then(|| (SHARE, state.have.clone())).into_iter().collect()
    }

    fn entries_after(&self, _: Uuid, have: &VersionVector, bytes_max: usize) -> Vec<Outgoing> {
        let state = self.state.lock().unwrap();
        let first = have.get(self.site.actor) + 1;
        let mut bytes = 0;
        let fitting = state.own.iter().zip(1..).skip(usize::try_from(first - 1).unwrap()).take_while(|(entry, _)| {
            let fits = bytes == 0 || bytes + entry.len() <= bytes_max;
            bytes += entry.len();
            fits
        });
        fitting.map(|(entry, n)| Outgoing { dot: Dot { actor: self.site.actor, n }, bytes: entry.clone() }).collect()
    }

    fn absorb(&self, _: Uuid, peer: Uuid, entries: Vec<Bytes>) -> Later<'_, Result<VersionVector, Fault>> {
        let mut state = self.state.lock().unwrap();
        if state.poisoned {
            return Box::pin(async { Err(Fault::Bad("poison".into())) });
        }
        let actor = archipel_crdt::dot::ActorId(peer.as_u128() * 10);
        for entry in entries {
            let n = state.have.get(actor) + 1;
            assert!(entry.ends_with(format!("/{n}").as_bytes()), "in order and once: {entry:?} as {n}");
            state.have.advance(actor, n);
            state.absorbed.push(entry);
        }
        let have = state.have.clone();
        Box::pin(async { Ok(have) })
    }

    fn acknowledged(&self, _: Uuid, _: Uuid, have: VersionVector) -> Later<'_, Result<(), String>> {
        self.state.lock().unwrap().acked.join(&have);
        Box::pin(async { Ok(()) })
    }
}

pub(crate) struct TestSite {
    replica: Arc<Memory>,
    rows: Arc<MemoryRows>,
    pub(crate) dir: TempDir,
    pub(crate) running: Running,
}

impl TestSite {
    pub(crate) async fn start(name: &str, id: u128, advertise: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (replica, rows) = (Memory::new(site(name, id)), Arc::new(MemoryRows::default()));
        let running = Self::run(&replica, &rows, &dir, "127.0.0.1:0", advertise).await;
        Self { replica, rows, dir, running }
    }

    async fn run(
        replica: &Arc<Memory>,
        rows: &Arc<MemoryRows>,
        dir: &TempDir,
        listen: &str,
        advertise: Option<&str>,
    ) -> Running {
        let config = Config {
            data_dir: dir.path().to_owned(),
            listen: crate::config::LinkListen::At(listen.parse().unwrap()),
            advertise: advertise.map(str::to_owned),
        };
        start(config, replica.clone(), rows.clone()).await.unwrap()
    }

    async fn invite(&self, address: &str) -> String {
        let links = &self.running.links;
        links.book().invite(now_unix_ms(), 60, address, links.advertise()).await.unwrap().encode()
    }

    async fn accept(&self, token: &str) -> Result<crate::peer::Peer, PeerError> {
        let links = &self.running.links;
        accept(token, links.identity(), links.site(), links.book(), "", links.advertise()).await
    }

    fn peer_of(&self, other: &TestSite) -> LinkStatus {
        self.running.links.status(other.replica.site.site_id)
    }

    fn connected(&self, other: &TestSite) -> bool {
        self.peer_of(other).state == LinkState::Connected
    }
}

async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A wire that can be cut: what is open breaks, what is new is refused.
struct Wire {
    address: String,
    cut: watch::Sender<bool>,
}

impl Wire {
    async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cut = watch::Sender::new(false);
        let state = cut.clone();
        tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let (target, mut cut) = (target.clone(), state.subscribe());
                tokio::spawn(async move {
                    if *cut.borrow() {
                        return;
                    }
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = cut.wait_for(|cut| *cut) => {}
                    }
                });
            }
        });
        Self { address, cut }
    }
}

async fn pair() -> (TestSite, TestSite, Wire) {
    let nantes = TestSite::start("nantes", 1, None).await;
    let rennes = TestSite::start("rennes", 2, Some("none")).await;
    let wire = Wire::to(nantes.running.listening.unwrap().to_string()).await;
    let token = nantes.invite(&wire.address).await;
    assert_eq!(rennes.accept(&token).await.unwrap().name, "nantes");
    eventually("both are connected", || nantes.connected(&rennes) && rennes.connected(&nantes)).await;
    (nantes, rennes, wire)
}

#[tokio::test]
async fn entries_flow_both_ways_and_resume_after_a_cut() {
    let (nantes, rennes, wire) = pair().await;
    nantes.replica.write(300);
    rennes.replica.write(200);
    eventually("all arrived", || rennes.replica.absorbed() == 300 && nantes.replica.absorbed() == 200).await;
    assert!(nantes.replica.state.lock().unwrap().controls.contains(&Bytes::from_static(b"greeting")));

    wire.cut.send_replace(true);
    eventually("the cut is seen", || !nantes.connected(&rennes) && !rennes.connected(&nantes)).await;
    assert!(!rennes.peer_of(&nantes).last_error.is_empty());
    nantes.replica.write(7);
    rennes.replica.write(5);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(rennes.replica.absorbed(), 300);
    wire.cut.send_replace(false);
    eventually("the rest arrived", || rennes.replica.absorbed() == 307 && nantes.replica.absorbed() == 205).await;
    let acked = || nantes.replica.state.lock().unwrap().acked.get(nantes.replica.site.actor) == 307;
    eventually("acknowledged", acked).await;
    assert_eq!(nantes.peer_of(&rennes).sessions, 2);
}

#[tokio::test]
async fn a_restarted_site_is_found_again_by_its_pins() {
    let (nantes, rennes, _wire) = pair().await;
    let listening = nantes.running.listening.unwrap().to_string();
    nantes.running.links.stop();
    eventually("the stop is seen", || !rennes.connected(&nantes)).await;
    nantes.replica.write(3);
    let rebind = || TcpListener::bind(listening.clone());
    while rebind().await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let again = TestSite::run(&nantes.replica, &nantes.rows, &nantes.dir, &listening, None).await;
    eventually("arrived", || rennes.replica.absorbed() == 3).await;
    assert_eq!(again.links.status(rennes.replica.site.site_id).state, LinkState::Connected);
}

#[tokio::test]
async fn two_sites_that_can_both_dial_keep_one_session() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let rennes = TestSite::start("rennes", 2, None).await;
    // rennes invites: nantes, the smaller id, learns its address and dials; rennes learns that of nantes by pairing.
    let token = rennes.invite("").await;
    nantes.accept(&token).await.unwrap();
    eventually("connected", || nantes.connected(&rennes) && rennes.connected(&nantes)).await;
    nantes.replica.write(1);
    eventually("arrived", || rennes.replica.absorbed() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(nantes.peer_of(&rennes).sessions, 1);
}

#[tokio::test]
async fn a_revoked_peer_is_cut_off_at_once_and_not_let_in_again() {
    let (nantes, rennes, _wire) = pair().await;
    let before = tokio::time::Instant::now();
    nantes.running.links.book().revoke("rennes").await.unwrap();
    eventually("cut off", || !rennes.connected(&nantes)).await;
    assert!(before.elapsed() < Duration::from_secs(5));
    nantes.replica.write(1);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(rennes.replica.absorbed(), 0);
    assert!(!rennes.connected(&nantes));
    let error = rennes.peer_of(&nantes).last_error;
    assert!(error.contains("pair again"), "{error}");
}

#[tokio::test]
async fn tokens_that_are_used_foreign_or_from_an_impostor_are_refused_with_a_way_out() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let rennes = TestSite::start("rennes", 2, None).await;
    let brest = TestSite::start("brest", 3, None).await;

    let spent = crate::peer::Token::decode(&nantes.invite("").await).unwrap();
    let text = spent.encode();
    rennes.accept(&text).await.unwrap();
    let used = brest.accept(&text).await.unwrap_err();
    assert!(used.to_string().contains("used by another site"), "{used}");
    assert_eq!(nantes.accept(&text).await.unwrap_err(), PeerError::OwnToken);

    // The address leads to brest, which is not who invited.
    let lured = nantes.invite(&brest.running.listening.unwrap().to_string()).await;
    let _open = brest.invite("").await;
    let error = rennes.accept(&lured).await.unwrap_err();
    assert!(matches!(error, PeerError::Impostor { .. }), "{error:?}");
    assert!(!error.to_string().is_empty());

    // Nobody listens there.
    let dead = nantes.invite("127.0.0.1:1").await;
    assert!(matches!(rennes.accept(&dead).await.unwrap_err(), PeerError::Unreachable { .. }));

    // A guess of the secret.
    let forged = crate::peer::Token { secret: vec![0; 24], ..spent };
    let error = brest.accept(&forged.encode()).await.unwrap_err();
    assert!(error.to_string().contains("ask for a new one"), "{error}");
}

#[tokio::test]
async fn an_expired_invitation_says_so() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let rennes = TestSite::start("rennes", 2, None).await;
    let links = &nantes.running.links;
    let old = links.book().invite(now_unix_ms() - 120_000, 60, "", links.advertise()).await.unwrap();
    let error = rennes.accept(&old.encode()).await.unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    // With another invitation open, the listener answers and names the reason itself.
    let _open = nantes.invite("").await;
    let error = rennes.accept(&old.encode()).await.unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(nantes.running.links.book().peers().is_empty() && rennes.running.links.book().peers().is_empty());
}

#[tokio::test]
async fn a_bad_entry_is_reported_and_the_link_stays() {
    let (nantes, rennes, _wire) = pair().await;
    rennes.replica.state.lock().unwrap().poisoned = true;
    nantes.replica.write(1);
    let stopped = |status: LinkStatus| status.streams.get(&SHARE).is_some_and(|stream| stream.error.contains("poison"));
    eventually("rennes reports it", || stopped(rennes.peer_of(&nantes))).await;
    eventually("nantes reports it", || stopped(nantes.peer_of(&rennes))).await;
    rennes.replica.write(1);
    eventually("the other direction flows", || nantes.replica.absorbed() == 1).await;
}

#[tokio::test]
async fn plain_bytes_on_the_link_port_get_nothing() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let mut tcp = TcpStream::connect(nantes.running.listening.unwrap()).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, tcp.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

/// A peer with a valid certificate and its own idea of the protocol.
struct Hostile {
    outgoing: tokio::sync::mpsc::Sender<proto::Frame>,
    incoming: tonic::Streaming<proto::Frame>,
}

impl Hostile {
    async fn connect(nantes: &TestSite, id: u128) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let own = site(&format!("mallory-{id}"), id);
        let identity = crate::peer::Identity::open(dir.path(), own.site_id).unwrap();
        let book =
            crate::peer::PeerBook::open(Arc::new(MemoryRows::default()), own.clone(), identity.fingerprint).unwrap();
        let token = nantes.invite("").await;
        let peer = accept(&token, &identity, &own, &book, "none", None).await.unwrap();
        let expected = tls::Proven { site_id: peer.site_id, fingerprint: peer.fingerprint };
        let channel = dial::dial(&identity, expected, &peer.addresses[0], tls::LINK_NAME).await.unwrap();
        let (outgoing, frames) = tokio::sync::mpsc::channel(16);
        let frames = tokio_stream::wrappers::ReceiverStream::new(frames);
        let session = proto::link_client::LinkClient::new(channel).session(frames).await.unwrap();
        Self { outgoing, incoming: session.into_inner() }
    }

    fn hello(id: u128) -> engine::Frame {
        let site = site("mallory", id);
        engine::Frame::Hello(engine::Hello {
            protocol: limits::PROTOCOL,
            site_id: site.site_id,
            name: site.name,
            actor: site.actor,
            addresses: vec![],
            version: "0".into(),
        })
    }

    async fn say(&self, frame: engine::Frame) {
        self.outgoing.send(wire::encode(frame)).await.unwrap();
    }

    /// The next frame that `wanted` takes; None when the session ends without one.
    async fn hear<T>(&mut self, wanted: impl Fn(engine::Frame) -> Option<T>) -> Option<T> {
        let heard = async {
            loop {
                let frame = self.incoming.message().await.ok().flatten()?;
                if let Some(found) = wire::decode(frame).ok().and_then(&wanted) {
                    return Some(found);
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap()
    }

    async fn goodbye(&mut self) -> String {
        let goodbye = |frame| match frame {
            engine::Frame::Goodbye(reason) => Some(reason),
            _ => None,
        };
        self.hear(goodbye).await.unwrap_or_default()
    }
}

#[tokio::test]
async fn a_peer_gets_and_gives_nothing_of_what_is_not_shared_with_it() {
    let nantes = TestSite::start("nantes", 1, None).await;
    nantes.replica.state.lock().unwrap().active = false;
    nantes.replica.write(5);
    let mut mallory = Hostile::connect(&nantes, 6).await;
    mallory.say(Hostile::hello(6)).await;
    // Asks for a share that exists, and pushes entries into it.
    mallory.say(engine::Frame::Have { share: SHARE, seen: VersionVector::new(), stream: 1, ask: true }).await;
    mallory.say(engine::Frame::Entries { share: SHARE, stream: 1, entries: vec![Bytes::from_static(b"x/1")] }).await;
    let answer = mallory
        .hear(|frame| match frame {
            engine::Frame::Refused { share, reason, .. } => Some((share, reason)),
            engine::Frame::Have { .. } | engine::Frame::Entries { .. } => panic!("leaked: {frame:?}"),
            _ => None,
        })
        .await;
    assert_eq!(answer, Some((SHARE, engine::NOT_SHARED.to_owned())), "as for a share that does not exist");
    assert_eq!(nantes.replica.absorbed(), 0);
    let counted = || nantes.running.links.status(Uuid::from_u128(6)).counters.frames_refused == 1;
    eventually("counted", counted).await;
}

#[tokio::test]
async fn a_peer_that_breaks_the_protocol_loses_its_session_only() {
    let nantes = TestSite::start("nantes", 1, None).await;
    let mut mallory = Hostile::connect(&nantes, 6).await;
    mallory.say(Hostile::hello(66)).await;
    assert!(mallory.goodbye().await.contains("certificate"), "another site's id");

    let mut mallory = Hostile::connect(&nantes, 7).await;
    mallory.say(engine::Frame::Control(Bytes::from_static(b"x"))).await;
    assert!(mallory.goodbye().await.contains("not Hello"));

    let mut mallory = Hostile::connect(&nantes, 8).await;
    mallory.say(Hostile::hello(8)).await;
    let huge = Bytes::from(vec![0; limits::CONTROL_BYTES_MAX + 1]);
    mallory.say(engine::Frame::Control(huge)).await;
    assert!(mallory.goodbye().await.contains("control message"));

    // The listener still serves.
    let mut mallory = Hostile::connect(&nantes, 9).await;
    mallory.say(Hostile::hello(9)).await;
    let greeted = |frame| matches!(frame, engine::Frame::Control(_)).then_some(());
    assert_eq!(mallory.hear(greeted).await, Some(()));
}
