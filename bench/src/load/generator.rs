//! The event loop: reads replies, checks them, sends each client's next request.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token};

use super::{cpu, measurement::Measurement};
use crate::wire::{Completion, Connection, WireError};
use crate::workload::{Client, Clients, WrongReply};

/// One read takes at most so much; a shorter read means that the socket is empty.
const READ_BYTES: usize = 256 * 1024;
/// A server that answers nothing for so long is given up.
const STALL: Duration = Duration::from_secs(15);
/// How often the loop looks at the clock when nothing arrives.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why a run is void.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot talk to {address}: {source}; check that the server is running")]
    Io { address: SocketAddr, source: std::io::Error },
    #[error("the server closed a connection; look at its log")]
    Closed,
    #[error("no reply within {} s; look at the server's log", STALL.as_secs())]
    Stalled,
    #[error("the server allows {allowed} calls at once on a connection, {wanted} are wanted; use fewer in flight")]
    StreamLimit { allowed: u32, wanted: usize },
    #[error("cannot read processor times from /proc: {0}")]
    Processor(std::io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Reply(#[from] WrongReply),
}

/// Where the load goes, and over how many connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// Must divide the number of clients.
    pub(crate) connections: usize,
    /// The process whose processor time is measured.
    pub(crate) pid: u32,
}

/// How long a run lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Schedule {
    /// Until no client has anything more to ask; all of it is measured.
    Exhaust,
    /// Not measured at first, then measured; what is under way at the end is awaited and checked, but not counted.
    Window { warm_up: Duration, measure: Duration },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measure,
    Drain,
}

/// One socket and the clients whose calls it carries.
struct Lane {
    socket: mio::net::TcpStream,
    connection: Connection,
    started: bool,
    clients: Vec<Slot>,
    in_flight: usize,
}

struct Slot {
    client: Box<dyn Client>,
    asked_at: Instant,
}

struct Run {
    address: SocketAddr,
    pid: u32,
    schedule: Schedule,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    last_reply: Instant,
    cpu_at_start: (Duration, Duration),
    measurement: Measurement,
    message: Vec<u8>,
}

/// Drives `clients` against the target as the schedule says.
///
/// # Errors
/// Any [`LoadError`]: the run is void, whatever was measured before.
pub(crate) fn run(target: Target, clients: Clients, schedule: Schedule) -> Result<Measurement, LoadError> {
    let io_error = |source| LoadError::Io { address: target.address, source };
    let mut poll = Poll::new().map_err(io_error)?;
    let mut lanes = connect(target, clients, &poll).map_err(io_error)?;
    let now = Instant::now();
    let phase = if matches!(schedule, Schedule::Exhaust) { Phase::Measure } else { Phase::WarmUp };
    let mut run = Run {
        address: target.address,
        pid: target.pid,
        schedule,
        phase,
        since: now,
        last_reply: now,
        cpu_at_start: (Duration::ZERO, Duration::ZERO),
        measurement: Measurement::new(),
        message: Vec::new(),
    };
    run.cpu_at_start = run.processor_times()?;
    let mut events = Events::with_capacity(lanes.len());
    let mut buffer = vec![0; READ_BYTES];
    let mut done = Vec::new();
    for lane in &mut lanes {
        lane.flush().map_err(io_error)?;
    }
    while run.phase != Phase::Drain || lanes.iter().any(|lane| lane.in_flight > 0) {
        match poll.poll(&mut events, Some(LOOK_EVERY)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome.map_err(io_error)?,
        }
        run.advance_phase()?;
        for event in &events {
            let Some(lane) = lanes.get_mut(event.token().0) else { continue };
            run.serve(lane, &mut buffer, &mut done)?;
        }
        let exhausted =
            matches!(schedule, Schedule::Exhaust) && lanes.iter().all(|lane| lane.started && lane.in_flight == 0);
        if exhausted {
            run.end_window()?;
            run.phase = Phase::Drain;
        }
        if run.last_reply.elapsed() > STALL {
            return Err(LoadError::Stalled);
        }
    }
    Ok(run.measurement)
}

fn connect(target: Target, clients: Clients, poll: &Poll) -> std::io::Result<Vec<Lane>> {
    let of_a_lane = clients.len() / target.connections;
    let mut clients = clients.into_iter();
    let mut lanes = Vec::with_capacity(target.connections);
    for number in 0..target.connections {
        let socket = std::net::TcpStream::connect(target.address)?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let mut socket = mio::net::TcpStream::from_std(socket);
        poll.registry().register(&mut socket, Token(number), Interest::READABLE | Interest::WRITABLE)?;
        let asked_at = Instant::now();
        lanes.push(Lane {
            socket,
            connection: Connection::new(&target.address.to_string()),
            started: false,
            clients: clients.by_ref().take(of_a_lane).map(|client| Slot { client, asked_at }).collect(),
            in_flight: 0,
        });
    }
    Ok(lanes)
}

impl Run {
    /// Everything that one event of a lane asks for: write what waits, read what is there, answer each reply.
    fn serve(&mut self, lane: &mut Lane, buffer: &mut [u8], done: &mut Vec<Completion>) -> Result<(), LoadError> {
        loop {
            let read = lane.read(buffer).map_err(|source| LoadError::Io { address: self.address, source })?;
            let bytes = match read {
                None => &[],
                Some(0) => return Err(LoadError::Closed),
                Some(count) => buffer.get(..count).unwrap_or_default(),
            };
            let now = Instant::now();
            lane.connection.receive(bytes, done)?;
            if !lane.started && lane.connection.is_ready() {
                self.start(lane, now)?;
            }
            for completion in done.drain(..) {
                self.answer(lane, completion, now)?;
            }
            lane.flush().map_err(|source| LoadError::Io { address: self.address, source })?;
            if bytes.len() < buffer.len() {
                return Ok(());
            }
        }
    }

    fn start(&mut self, lane: &mut Lane, now: Instant) -> Result<(), LoadError> {
        let allowed = lane.connection.streams_max();
        if usize::try_from(allowed).is_ok_and(|allowed| allowed < lane.clients.len()) {
            return Err(LoadError::StreamLimit { allowed, wanted: lane.clients.len() });
        }
        lane.started = true;
        for slot in 0..lane.clients.len() {
            self.ask(lane, slot, now)?;
        }
        Ok(())
    }

    fn answer(&mut self, lane: &mut Lane, completion: Completion, now: Instant) -> Result<(), LoadError> {
        let slot = completion.slot;
        lane.in_flight -= 1;
        self.last_reply = now;
        let place = lane.clients.get_mut(slot).expect("invariant: slots are those that we gave");
        place.client.reply(completion.message())?;
        if self.phase == Phase::Measure {
            self.measurement.record(now - place.asked_at);
        }
        lane.connection.recycle(completion);
        if self.phase == Phase::Drain { Ok(()) } else { self.ask(lane, slot, now) }
    }

    /// Sends a client's next request. The clock of a call starts when the reply before it was read, so the generator's own
    /// time is in the latency: it can make a server look slower, never faster.
    fn ask(&mut self, lane: &mut Lane, slot: usize, now: Instant) -> Result<(), LoadError> {
        let place = lane.clients.get_mut(slot).expect("invariant: slots are those that we gave");
        self.message.clear();
        if let Some(path) = place.client.request(&mut self.message) {
            place.asked_at = now;
            lane.in_flight += 1;
            lane.connection.call(slot, path, &self.message)?;
        }
        Ok(())
    }

    fn advance_phase(&mut self) -> Result<(), LoadError> {
        let Schedule::Window { warm_up, measure } = self.schedule else { return Ok(()) };
        match self.phase {
            Phase::WarmUp if self.since.elapsed() >= warm_up => {
                self.phase = Phase::Measure;
                self.cpu_at_start = self.processor_times()?;
                self.since = Instant::now();
            }
            Phase::Measure if self.since.elapsed() >= measure => {
                self.end_window()?;
                self.phase = Phase::Drain;
            }
            _ => {}
        }
        Ok(())
    }

    fn end_window(&mut self) -> Result<(), LoadError> {
        self.measurement.elapsed = self.since.elapsed();
        let (server, generator) = self.processor_times()?;
        self.measurement.server_cpu = server.saturating_sub(self.cpu_at_start.0);
        self.measurement.generator_cpu = generator.saturating_sub(self.cpu_at_start.1);
        Ok(())
    }

    fn processor_times(&self) -> Result<(Duration, Duration), LoadError> {
        let times = || Ok((cpu::of_process(self.pid)?, cpu::of_this_thread()?));
        times().map_err(LoadError::Processor)
    }
}

impl Lane {
    /// `None` when nothing is there.
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<Option<usize>> {
        loop {
            match self.socket.read(buffer) {
                Ok(count) => return Ok(Some(count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much as the socket takes; the next writable event brings us back for the rest.
    fn flush(&mut self) -> std::io::Result<()> {
        let output = self.connection.output();
        let mut written = 0;
        let outcome = loop {
            let rest = output.get(written..).unwrap_or_default();
            if rest.is_empty() {
                break Ok(());
            }
            match self.socket.write(rest) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        output.drain(..written);
        outcome
    }
}
