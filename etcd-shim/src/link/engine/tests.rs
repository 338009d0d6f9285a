//! The session's decisions, by comparing commands.

use super::super::limits::*;
use super::*;
use archipel_crdt::dot::{ActorId, Dot};
use archipel_crdt::version_vector::VersionVector;
use bytes::Bytes;
use uuid::Uuid;

const NANTES: u128 = 1;
const RENNES: u128 = 2;
const SHARE: Uuid = Uuid::from_u128(0xa);
const OTHER: Uuid = Uuid::from_u128(0xb);

fn hello(site: u128) -> Hello {
    Hello {
        protocol: PROTOCOL,
        site_id: Uuid::from_u128(site),
        name: if site == NANTES { "nantes".into() } else { "rennes".into() },
        actor: ActorId(site * 10),
        addresses: vec![],
        version: "test".into(),
    }
}

fn vv(pairs: &[(u128, u64)]) -> VersionVector {
    pairs.iter().map(|&(site, n)| (ActorId(site * 10), n)).collect()
}

fn at(monotonic_ms: u64) -> Now {
    Now { monotonic_ms, unix_ms: 1_000_000 + monotonic_ms }
}

fn entry(site: u128, n: u64) -> Outgoing {
    Outgoing { dot: Dot { actor: ActorId(site * 10), n }, bytes: Bytes::from(format!("{site}/{n}")) }
}

fn have(seen: VersionVector, stream: u64, ask: bool) -> Frame {
    Frame::Have { share: SHARE, seen, stream, ask }
}

/// A session of nantes with rennes after both Hellos.
fn open() -> Session {
    let mut session = Session::new(hello(NANTES), Uuid::from_u128(RENNES));
    assert_eq!(session.handle(at(0), Event::Opened), [Command::Send(Frame::Hello(hello(NANTES)))]);
    let commands = session.handle(at(0), Event::Received(Frame::Hello(hello(RENNES))));
    let established = Command::Established { name: "rennes".into(), addresses: vec![], version: "test".into() };
    assert_eq!(commands, [established, Command::Refresh]);
    session
}

/// With SHARE active, nantes holding `own`, and rennes having said `theirs` on stream 1.
fn replicating(own: &[(u128, u64)], theirs: &[(u128, u64)]) -> (Session, Vec<Command>) {
    let mut session = open();
    let commands = session.handle(at(0), Event::Refreshed { active: vec![(SHARE, vv(own))], greetings: vec![] });
    assert_eq!(commands, [Command::Send(have(vv(own), 1, true))]);
    let commands = session.handle(at(0), Event::Received(have(vv(theirs), 1, false)));
    (session, commands)
}

fn closed_with(commands: &[Command]) -> Option<&Close> {
    match commands.last() {
        Some(Command::Close(why)) => Some(why),
        _ => None,
    }
}

#[test]
fn nothing_is_taken_before_hello() {
    let mut session = Session::new(hello(NANTES), Uuid::from_u128(RENNES));
    session.handle(at(0), Event::Opened);
    assert_eq!(session.handle(at(0), Event::Changed), []);
    let commands = session.handle(at(0), Event::Received(Frame::Control(Bytes::from_static(b"x"))));
    assert!(matches!(closed_with(&commands), Some(Close::Protocol(_))), "{commands:?}");
    assert_eq!(session.handle(at(0), Event::Received(Frame::Hello(hello(RENNES)))), [], "closed for good");
}

#[test]
fn a_hello_of_another_site_of_ourselves_of_a_copy_or_of_another_protocol_ends_the_session() {
    let cases = [
        (Hello { site_id: Uuid::from_u128(3), ..hello(RENNES) }, "certificate"),
        (hello(NANTES), "this site itself"),
        (Hello { actor: ActorId(NANTES * 10), ..hello(RENNES) }, "copy of this site"),
        (Hello { protocol: PROTOCOL + 1, ..hello(RENNES) }, "upgrade"),
    ];
    for (bad, text) in cases {
        let mut session = Session::new(hello(NANTES), Uuid::from_u128(RENNES));
        session.handle(at(0), Event::Opened);
        let commands = session.handle(at(0), Event::Received(Frame::Hello(bad)));
        let why = closed_with(&commands).expect("closed").to_string();
        assert!(why.contains(text), "{why}");
    }
    let mut session = open();
    let commands = session.handle(at(0), Event::Received(Frame::Hello(hello(RENNES))));
    assert!(matches!(closed_with(&commands), Some(Close::Protocol(_))));
}

#[test]
fn the_peers_watermark_starts_the_stream_and_its_acknowledgement_moves_the_watermark() {
    let (mut session, commands) = replicating(&[(NANTES, 3)], &[(NANTES, 1)]);
    assert_eq!(
        commands,
        [
            Command::Acknowledge { share: SHARE, have: vv(&[(NANTES, 1)]) },
            Command::Read { share: SHARE, after: vv(&[(NANTES, 1)]), bytes_max: READ_BYTES_MAX },
        ]
    );
    let read = Event::Read { share: SHARE, entries: vec![entry(NANTES, 2), entry(NANTES, 3)] };
    let entries = vec![Bytes::from("1/2"), Bytes::from("1/3")];
    assert_eq!(session.handle(at(1), read), [Command::Send(Frame::Entries { share: SHARE, stream: 1, entries })]);
    assert_eq!(
        session.handle(at(2), Event::Received(have(vv(&[(NANTES, 3)]), 1, false))),
        [Command::Acknowledge { share: SHARE, have: vv(&[(NANTES, 3)]) }]
    );
    let (_, link) = session.shares().next().expect("one share");
    assert_eq!((link.outbound.in_flight_bytes(), link.unacknowledged_since_ms), (0, None));
}

#[test]
fn a_share_that_the_peer_activates_later_starts_when_it_asks() {
    let mut session = open();
    let early = session.handle(at(0), Event::Received(have(vv(&[]), 1, true)));
    assert_eq!(early, [], "not active here yet");
    session.handle(at(1), Event::Refreshed { active: vec![(SHARE, vv(&[]))], greetings: vec![] });
    let answer = session.handle(at(2), Event::Received(have(vv(&[]), 1, true)));
    assert_eq!(answer, [Command::Send(have(vv(&[]), 1, false))], "asked, so answered, and no longer asking");
}

#[test]
fn what_the_store_took_is_acknowledged_when_it_is_durable() {
    let (mut session, _) = replicating(&[], &[(RENNES, 2)]);
    let entries = vec![Bytes::from("2/1"), Bytes::from("2/2")];
    let frame = Frame::Entries { share: SHARE, stream: 1, entries: entries.clone() };
    assert_eq!(session.handle(at(0), Event::Received(frame)), [Command::Absorb { share: SHARE, bytes: 6, entries }]);
    let absorbed = Event::Absorbed { share: SHARE, bytes: 6, outcome: Ok(vv(&[(RENNES, 2)])) };
    assert_eq!(session.handle(at(1), absorbed), [Command::Send(have(vv(&[(RENNES, 2)]), 1, false))]);
}

#[test]
fn frames_of_a_share_that_is_not_shared_with_the_peer_are_refused_and_counted() {
    let (mut session, _) = replicating(&[], &[]);
    let frame = Frame::Entries { share: OTHER, stream: 1, entries: vec![Bytes::from("x")] };
    let refused = Frame::Refused { share: OTHER, stream: 1, reason: NOT_SHARED.into() };
    assert_eq!(session.handle(at(0), Event::Received(frame.clone())), [Command::Send(refused)]);
    assert_eq!(session.counters().frames_refused, 1);
    let probe = Frame::Have { share: OTHER, seen: vv(&[]), stream: 1, ask: true };
    assert_eq!(session.handle(at(0), Event::Received(probe)), [], "nothing of it leaves");

    // A read that was under way when the share was detached leads to nothing.
    let (mut session, commands) = replicating(&[(NANTES, 1)], &[]);
    assert!(matches!(commands.last(), Some(Command::Read { .. })));
    session.handle(at(1), Event::Refreshed { active: vec![], greetings: vec![] });
    assert_eq!(session.handle(at(2), Event::Read { share: SHARE, entries: vec![entry(NANTES, 1)] }), []);
}

#[test]
fn a_bad_entry_stops_its_share_only_and_a_new_have_starts_it_again() {
    let mut session = open();
    let active = vec![(SHARE, vv(&[])), (OTHER, vv(&[]))];
    session.handle(at(0), Event::Refreshed { active, greetings: vec![] });
    let frame = |share, stream| Frame::Entries { share, stream, entries: vec![Bytes::from("x")] };
    session.handle(at(0), Event::Received(frame(SHARE, 1)));
    let bad = Event::Absorbed { share: SHARE, bytes: 1, outcome: Err(Fault::Bad("no such field".into())) };
    let refused = Frame::Refused { share: SHARE, stream: 1, reason: "no such field".into() };
    assert_eq!(session.handle(at(1), bad), [Command::Send(refused)]);
    assert_eq!(session.handle(at(2), Event::Received(frame(SHARE, 1))), [], "dropped");
    assert!(matches!(
        session.handle(at(2), Event::Received(frame(OTHER, 2)))[..],
        [Command::Absorb { share: OTHER, .. }]
    ));

    // The other side of it: the sender stops, and starts when the receiver asks on a higher stream.
    let (mut session, _) = replicating(&[(NANTES, 1)], &[]);
    session.handle(at(1), Event::Read { share: SHARE, entries: vec![entry(NANTES, 1)] });
    let refused = Frame::Refused { share: SHARE, stream: 1, reason: "no".into() };
    session.handle(at(2), Event::Received(refused));
    let active = vec![(SHARE, vv(&[(NANTES, 2)]))];
    assert_eq!(session.handle(at(3), Event::Refreshed { active, greetings: vec![] }), []);
    let commands = session.handle(at(4), Event::Received(have(vv(&[]), 2, false)));
    assert_eq!(commands, [Command::Read { share: SHARE, after: vv(&[]), bytes_max: READ_BYTES_MAX }]);
}

#[test]
fn held_entries_are_asked_for_again_on_a_new_stream() {
    let (mut session, _) = replicating(&[], &[(RENNES, 1)]);
    let frame = |stream| Frame::Entries { share: SHARE, stream, entries: vec![Bytes::from("x")] };
    session.handle(at(0), Event::Received(frame(1)));
    let held = Fault::Held { retry_ms: 1000, reason: "the clock of rennes is ahead".into() };
    assert_eq!(session.handle(at(0), Event::Absorbed { share: SHARE, bytes: 1, outcome: Err(held) }), []);
    assert_eq!(session.handle(at(999), Event::Tick), []);
    assert_eq!(session.handle(at(1000), Event::Tick), [Command::Send(have(vv(&[]), 2, false))]);
    assert_eq!(session.handle(at(1001), Event::Received(frame(1))), [], "what was on its way is dropped");
    assert_eq!(session.handle(at(1002), Event::Received(frame(2))).len(), 1);
}

#[test]
fn the_window_bounds_what_is_in_flight() {
    let (mut session, mut commands) = replicating(&[(NANTES, 100_000)], &[]);
    let (mut n, mut bytes) = (0, 0);
    while let Some(Command::Read { .. }) = commands.last() {
        n += 1;
        let mut big = entry(NANTES, n);
        big.bytes = Bytes::from(vec![0; READ_BYTES_MAX]);
        bytes += big.bytes.len();
        commands = session.handle(at(n), Event::Read { share: SHARE, entries: vec![big] });
    }
    assert_eq!(bytes, IN_FLIGHT_BYTES_MAX);
    let commands = session.handle(at(n), Event::Received(have(vv(&[(NANTES, 1)]), 1, false)));
    assert!(matches!(commands.last(), Some(Command::Read { .. })), "an acknowledgement opens the window");
}

#[test]
fn a_peer_that_sends_more_than_its_window_loses_the_session() {
    let (mut session, _) = replicating(&[], &[]);
    for _ in 0..=ABSORB_BYTES_MAX / FRAME_BYTES_MAX {
        let entries = vec![Bytes::from(vec![0; FRAME_BYTES_MAX])];
        let commands = session.handle(at(0), Event::Received(Frame::Entries { share: SHARE, stream: 1, entries }));
        if let Some(why) = closed_with(&commands) {
            assert!(matches!(why, Close::Protocol(_)));
            return;
        }
    }
    panic!("never closed");
}

#[test]
fn a_flood_of_control_messages_closes_the_session() {
    let mut session = open();
    for _ in 0..CONTROLS_MAX {
        let commands = session.handle(at(0), Event::Received(Frame::Control(Bytes::new())));
        assert_eq!(commands, [Command::HandleControl(Bytes::new())]);
    }
    let commands = session.handle(at(0), Event::Received(Frame::Control(Bytes::new())));
    assert!(matches!(closed_with(&commands), Some(Close::Protocol(_))));
}

#[test]
fn entries_that_were_trimmed_stop_the_stream_and_do_not_spin() {
    let (mut session, _) = replicating(&[(NANTES, 9)], &[]);
    let commands = session.handle(at(1), Event::Read { share: SHARE, entries: vec![entry(NANTES, 5)] });
    assert_eq!(commands, []);
    let (_, link) = session.shares().next().expect("one share");
    assert_eq!(link.outbound.progress, Progress::Stopped(TRIMMED.into()));

    // A read that finds nothing is not repeated before something changes.
    let (mut session, _) = replicating(&[(NANTES, 9)], &[]);
    assert_eq!(session.handle(at(1), Event::Read { share: SHARE, entries: vec![] }), []);
    assert_eq!(session.handle(at(1), Event::Durable).len(), 1, "more is durable: read again");
    assert_eq!(session.handle(at(1), Event::Read { share: SHARE, entries: vec![] }), []);
    let active = vec![(SHARE, vv(&[(NANTES, 10)]))];
    assert_eq!(session.handle(at(2), Event::Refreshed { active, greetings: vec![] }).len(), 1);
}

#[test]
fn a_site_that_was_set_back_sends_nothing_and_says_so() {
    let (mut session, commands) = replicating(&[(NANTES, 3)], &[(NANTES, 5)]);
    assert_eq!(commands, [Command::Refresh], "neither acknowledged nor read before a fresh look");
    let active = vec![(SHARE, vv(&[(NANTES, 4)]))];
    assert_eq!(session.handle(at(1), Event::Refreshed { active, greetings: vec![] }), []);
    let (_, link) = session.shares().next().expect("one share");
    assert_eq!(link.outbound.progress, Progress::Stopped(SET_BACK.into()));

    // The session before this one had sent them: all is well.
    let (mut session, _) = replicating(&[(NANTES, 3)], &[(NANTES, 5)]);
    let active = vec![(SHARE, vv(&[(NANTES, 5)]))];
    assert_eq!(
        session.handle(at(1), Event::Refreshed { active, greetings: vec![] }),
        [Command::Acknowledge { share: SHARE, have: vv(&[(NANTES, 5)]) }]
    );
}

#[test]
fn what_is_not_durable_here_is_not_acknowledged() {
    let (mut session, _) = replicating(&[], &[(RENNES, 2)]);
    let active = vec![(SHARE, vv(&[(RENNES, 2)]))];
    assert_eq!(session.handle(at(1), Event::Refreshed { active, greetings: vec![] }), []);
    let answer = session.handle(at(2), Event::Received(have(vv(&[(RENNES, 2)]), 1, true)));
    assert_eq!(answer, [Command::Send(have(vv(&[]), 1, false))]);
}

#[test]
fn a_restart_during_a_read_reads_again_from_the_new_watermark() {
    let (mut session, _) = replicating(&[(NANTES, 5)], &[(NANTES, 3)]);
    session.handle(at(1), Event::Received(have(vv(&[(NANTES, 1)]), 2, false)));
    let commands = session.handle(at(2), Event::Read { share: SHARE, entries: vec![entry(NANTES, 4)] });
    assert_eq!(commands, [Command::Read { share: SHARE, after: vv(&[(NANTES, 1)]), bytes_max: READ_BYTES_MAX }]);
}

#[test]
fn greetings_go_out_once_and_again_when_they_change() {
    let mut session = open();
    let refreshed =
        |text: &'static str| Event::Refreshed { active: vec![], greetings: vec![Bytes::from_static(text.as_bytes())] };
    let control = |text: &'static str| Command::Send(Frame::Control(Bytes::from_static(text.as_bytes())));
    assert_eq!(session.handle(at(0), refreshed("proposed")), [control("proposed")]);
    assert_eq!(session.handle(at(1), Event::Changed), [Command::Refresh]);
    assert_eq!(session.handle(at(1), Event::Changed), [], "one refresh at a time");
    assert_eq!(session.handle(at(2), refreshed("proposed")), [Command::Refresh], "the change in between counts");
    assert_eq!(session.handle(at(3), refreshed("active")), [control("active")]);
}

#[test]
fn heartbeats_go_out_and_silence_ends_the_session() {
    let (mut session, _) = replicating(&[(NANTES, 4)], &[(NANTES, 4)]);
    assert_eq!(session.handle(at(HEARTBEAT_MS - 1), Event::Tick), []);
    let progress = Frame::Progress { unix_ms: 1_000_000 + HEARTBEAT_MS, newest: vec![(SHARE, 4)] };
    assert_eq!(session.handle(at(HEARTBEAT_MS), Event::Tick), [Command::Send(progress)]);
    let commands = session.handle(at(SILENCE_MS), Event::Tick);
    assert_eq!(closed_with(&commands), Some(&Close::Silence { silence_ms: SILENCE_MS }));

    let mut session = Session::new(hello(NANTES), Uuid::from_u128(RENNES));
    session.handle(at(0), Event::Opened);
    assert!(closed_with(&session.handle(at(HANDSHAKE_MS), Event::Tick)).is_some());
}

#[test]
fn lag_is_known_in_both_directions() {
    let (mut session, _) = replicating(&[(NANTES, 2), (RENNES, 1)], &[(NANTES, 1)]);
    let progress = Frame::Progress { unix_ms: 1_000_000, newest: vec![(SHARE, 5)] };
    session.handle(at(700), Event::Received(progress));
    let (_, link) = session.shares().next().expect("one share");
    assert_eq!((link.inbound.peer_newest, link.inbound.behind_since_ms), (5, Some(700)));
    assert_eq!(link.unacknowledged_since_ms, Some(0));
    assert_eq!(session.counters().peer_clock_ahead_ms, -700);
    let absorbed = Event::Absorbed { share: SHARE, bytes: 0, outcome: Ok(vv(&[(RENNES, 5)])) };
    session.handle(at(900), absorbed);
    let (_, link) = session.shares().next().expect("one share");
    assert_eq!(link.inbound.behind_since_ms, None);
}
