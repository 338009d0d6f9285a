//! The event loop: reads replies, checks them, sends each client's next request.
//!
//! What a request costs here is mostly the kernel's work for a write, which on the loopback interface includes the
//! receiver's side and waking it. So the loop first takes everything that has arrived on every connection, and only then
//! writes, once for each connection. Looking again before writing, or yielding to the server, was tried: it saves nothing.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::lane::{Lane, Taken};
use super::pace::{Pace, Place};
use super::{measurement::Measurement, usage};
use crate::wire::{Arrival, WireError};
use crate::workload::{Answer, Group, WrongReply};

/// One read takes at most so much.
const READ_BYTES: usize = 256 * 1024;
/// A server that answers nothing for so long is given up.
const STALL: Duration = Duration::from_secs(60);
/// How often the loop looks at the clock when nothing arrives.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The same when requests have a pace; the poller knows no shorter time.
const LOOK_EVERY_PACED: Duration = Duration::from_millis(1);

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
    #[error("cannot read what the server uses from /proc: {0}")]
    Processor(std::io::Error),
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Reply(#[from] WrongReply),
}

/// Where the load goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
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

struct Run {
    target: Target,
    schedule: Schedule,
    phase: Phase,
    /// When the phase began.
    since: Instant,
    last_reply: Instant,
    cpu_at_start: (Duration, Duration),
    measurement: Measurement,
    /// The pace of each group that has one.
    paces: Vec<Option<Pace>>,
    /// Requests without a reply, on all lanes.
    in_flight: usize,
    message: Vec<u8>,
    arrivals: Vec<Arrival>,
    buffer: Vec<u8>,
}

/// Drives the clients against the target as the schedule says.
///
/// # Errors
/// Any [`LoadError`]: the run is void, whatever was measured before.
pub(crate) fn run(target: Target, groups: Vec<Group>, schedule: Schedule) -> Result<Measurement, LoadError> {
    let io_error = |source| LoadError::Io { address: target.address, source };
    let mut poll = Poll::new().map_err(io_error)?;
    let now = Instant::now();
    let paces: Vec<_> = groups.iter().map(|group| group.rate.map(|rate| Pace::new(rate, now))).collect();
    let look_every = if paces.iter().any(Option::is_some) { LOOK_EVERY_PACED } else { LOOK_EVERY };
    let mut lanes = connect(target.address, groups, &poll).map_err(io_error)?;
    let mut run = Run::new(target, schedule, paces, now)?;
    let mut events = Events::with_capacity(lanes.len());
    let mut touched = Vec::with_capacity(lanes.len());
    for lane in &mut lanes {
        lane.flush().map_err(io_error)?;
    }
    while run.phase != Phase::Drain || run.in_flight > 0 {
        match poll.poll(&mut events, Some(look_every)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome.map_err(io_error)?,
        }
        let now = Instant::now();
        run.advance_phase(now)?;
        touched.clear();
        touched.extend(events.iter().map(|event| event.token().0));
        for number in &touched {
            run.serve(&mut lanes, *number, now)?;
        }
        run.take_turns(&mut lanes, &mut touched)?;
        for number in &touched {
            // A lane that was touched twice has nothing left to write the second time.
            lanes.get_mut(*number).map_or(Ok(()), Lane::flush).map_err(io_error)?;
        }
        run.end_if_exhausted(&lanes)?;
        if run.last_reply.elapsed() > STALL {
            return Err(LoadError::Stalled);
        }
    }
    Ok(run.measurement)
}

fn connect(address: SocketAddr, groups: Vec<Group>, poll: &Poll) -> std::io::Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for (number, group) in groups.into_iter().enumerate() {
        let of_a_lane = group.clients.len().div_ceil(group.connections.max(1));
        let mut clients = group.clients.into_iter();
        loop {
            let clients: Vec<_> = clients.by_ref().take(of_a_lane).collect();
            if clients.is_empty() {
                break;
            }
            lanes.push(Lane::open(address, poll.registry(), lanes.len(), number, clients)?);
        }
    }
    Ok(lanes)
}

impl Run {
    fn new(target: Target, schedule: Schedule, paces: Vec<Option<Pace>>, now: Instant) -> Result<Run, LoadError> {
        let phase = if matches!(schedule, Schedule::Exhaust) { Phase::Measure } else { Phase::WarmUp };
        let mut run = Run {
            target,
            schedule,
            phase,
            since: now,
            last_reply: now,
            cpu_at_start: (Duration::ZERO, Duration::ZERO),
            measurement: Measurement::new(),
            paces,
            in_flight: 0,
            message: Vec::new(),
            arrivals: Vec::new(),
            buffer: vec![0; READ_BYTES],
        };
        run.cpu_at_start = run.processor_times()?;
        Ok(run)
    }

    /// Takes everything that a lane has received and answers it. Nothing is written yet.
    fn serve(&mut self, lanes: &mut [Lane], number: usize, now: Instant) -> Result<(), LoadError> {
        let Some(lane) = lanes.get_mut(number) else { return Ok(()) };
        let taken = lane.take(&mut self.buffer, &mut self.arrivals);
        match taken.map_err(|source| LoadError::Io { address: self.target.address, source })?? {
            Taken::Closed => return Err(LoadError::Closed),
            Taken::All => {}
        }
        if !lane.started && lane.connection.is_ready() {
            self.start(lane, number, now)?;
        }
        let mut arrivals = std::mem::take(&mut self.arrivals);
        for arrival in arrivals.drain(..) {
            self.answer(lane, number, arrival, now)?;
        }
        self.arrivals = arrivals;
        Ok(())
    }

    fn start(&mut self, lane: &mut Lane, number: usize, now: Instant) -> Result<(), LoadError> {
        let allowed = lane.connection.streams_max();
        if usize::try_from(allowed).is_ok_and(|allowed| allowed < lane.clients.len()) {
            return Err(LoadError::StreamLimit { allowed, wanted: lane.clients.len() });
        }
        lane.started = true;
        self.last_reply = now;
        for slot in 0..lane.clients.len() {
            self.next(lane, (number, slot), now)?;
        }
        Ok(())
    }

    fn answer(&mut self, lane: &mut Lane, number: usize, arrival: Arrival, now: Instant) -> Result<(), LoadError> {
        self.last_reply = now;
        let slot = arrival.slot;
        let place = lane.clients.get_mut(slot).expect("invariant: slots are those that we gave");
        let measured = self.phase == Phase::Measure;
        let answer = match arrival.message() {
            Some(message) => place.client.reply(message)?,
            None => {
                place.client.end()?;
                Answer::Done(0)
            }
        };
        let (asked_at, parts) = (place.asked_at, place.parts);
        if let Answer::Part(units) = answer {
            place.parts += units;
        }
        lane.connection.recycle(arrival);
        match answer {
            Answer::Done(units) => {
                // A call that streamed is worth what its parts were worth.
                if measured && units + parts > 0 {
                    self.measurement.record(units, now - asked_at);
                }
                lane.in_flight -= 1;
                self.in_flight -= 1;
                self.next(lane, (number, slot), now)
            }
            Answer::Part(units) => {
                self.measurement.units += if measured { units } else { 0 };
                Ok(())
            }
            Answer::Pushed { units, latency_ns } => {
                if measured {
                    self.measurement.record(units, Duration::from_nanos(latency_ns));
                }
                Ok(())
            }
        }
    }

    /// A client has nothing under way: it asks at once, or at its turn.
    fn next(&mut self, lane: &mut Lane, place: Place, now: Instant) -> Result<(), LoadError> {
        if self.phase == Phase::Drain {
            return Ok(());
        }
        match self.paces.get_mut(lane.group) {
            Some(Some(pace)) => {
                pace.rest(place);
                Ok(())
            }
            _ => self.ask(lane, place.1, now),
        }
    }

    /// Lets the clients ask whose turn has come, and notes their lanes.
    fn take_turns(&mut self, lanes: &mut [Lane], touched: &mut Vec<usize>) -> Result<(), LoadError> {
        if self.phase == Phase::Drain {
            return Ok(());
        }
        let now = Instant::now();
        let mut paces = std::mem::take(&mut self.paces);
        for pace in paces.iter_mut().flatten() {
            while let Some((number, slot)) = pace.turn(now) {
                let lane = lanes.get_mut(number).expect("invariant: places are those of our lanes");
                self.ask(lane, slot, now)?;
                touched.push(number);
            }
        }
        self.paces = paces;
        Ok(())
    }

    /// Prepares a client's next request. The clock of a call starts when the reply before it was read, so the generator's
    /// own time is in the latency: it can make a server look slower, never faster.
    fn ask(&mut self, lane: &mut Lane, slot: usize, now: Instant) -> Result<(), LoadError> {
        let place = lane.clients.get_mut(slot).expect("invariant: slots are those that we gave");
        self.message.clear();
        if let Some(method) = place.client.request(&mut self.message) {
            (place.asked_at, place.parts) = (now, 0);
            lane.in_flight += 1;
            self.in_flight += 1;
            lane.connection.call(slot, method, &self.message)?;
        }
        Ok(())
    }

    fn advance_phase(&mut self, now: Instant) -> Result<(), LoadError> {
        let Schedule::Window { warm_up, measure } = self.schedule else { return Ok(()) };
        match self.phase {
            Phase::WarmUp if now - self.since >= warm_up => {
                self.phase = Phase::Measure;
                self.cpu_at_start = self.processor_times()?;
                self.since = Instant::now();
            }
            Phase::Measure if now - self.since >= measure => {
                self.end_window()?;
                self.phase = Phase::Drain;
            }
            _ => {}
        }
        Ok(())
    }

    fn end_if_exhausted(&mut self, lanes: &[Lane]) -> Result<(), LoadError> {
        let exhausted = matches!(self.schedule, Schedule::Exhaust)
            && self.in_flight == 0
            && self.phase == Phase::Measure
            && lanes.iter().all(|lane| lane.started);
        if exhausted {
            self.end_window()?;
            self.phase = Phase::Drain;
        }
        Ok(())
    }

    fn end_window(&mut self) -> Result<(), LoadError> {
        self.measurement.elapsed = self.since.elapsed();
        let (server, generator) = self.processor_times()?;
        self.measurement.server_memory_mib =
            usage::memory_mib(self.target.pid, "VmRSS").map_err(LoadError::Processor)?;
        self.measurement.server_cpu = server.saturating_sub(self.cpu_at_start.0);
        self.measurement.generator_cpu = generator.saturating_sub(self.cpu_at_start.1);
        Ok(())
    }

    fn processor_times(&self) -> Result<(Duration, Duration), LoadError> {
        let times = || Ok((usage::of_process(self.target.pid)?, usage::of_this_thread()?));
        times().map_err(LoadError::Processor)
    }
}
