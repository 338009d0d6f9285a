//! One run: clients and watches against a process, and faults meanwhile.

use super::{
    recorder::Recorder,
    traffic::{Mix, Traffic, compact},
    watching::{see_everything, watch_around},
};
use crate::{
    client::Client,
    differential::Random,
    history::{History, Outcome, Request},
    site::Site,
};
use std::{io, sync::Arc, time::Duration};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A run with less load than this before its faults proves nothing, in acknowledged writes a second.
pub const LOAD_MIN_S: u64 = 100;
/// How long the load runs before it is measured.
const WARM: Duration = Duration::from_millis(500);

/// What happens to the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// SIGKILL and a restart.
    Kill,
    /// SIGSTOP, and SIGCONT after this time.
    Pause(Duration),
}

/// One run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Everything random follows from it.
    pub seed: u64,
    /// Clients, and what they ask for.
    pub clients: usize,
    #[allow(missing_docs)]
    pub mix: Mix,
    /// A client's pause between two requests.
    pub between: Duration,
    /// Watches that come and go, beside the one that sees everything.
    pub watches: usize,
    /// Interval of compactions; none if zero.
    pub compact_every: Duration,
    /// The faults, one after the other.
    pub faults: Vec<Fault>,
    /// Load before each fault, and after the last one: between this and twice this.
    pub load: Duration,
}

impl Plan {
    /// A plan for a seed: everything, without faults.
    #[must_use]
    pub fn new(seed: u64) -> Plan {
        Plan {
            seed,
            clients: 6,
            mix: Mix::EVERYTHING,
            between: Duration::from_millis(2),
            watches: 6,
            compact_every: Duration::from_millis(150),
            faults: vec![Fault::None],
            load: Duration::from_secs(1),
        }
    }
}

/// Runs it, and returns what clients saw.
///
/// # Errors
/// The process does not start again, or could not be signalled; or there was too little load.
pub async fn drive(site: &mut Site, plan: &Plan) -> io::Result<History> {
    let connect = async || Client::connect(site.url()).await.map_err(io::Error::other);
    let recorder = Arc::new(Recorder::default());
    let (stop, seen) = (CancellationToken::new(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    let short_leases = !plan.faults.contains(&Fault::Kill);
    for number in 0..plan.clients {
        let traffic = Traffic::new(number, plan.seed, plan.mix, short_leases);
        tasks.spawn(traffic.run(connect().await?, recorder.clone(), stop.clone(), plan.between));
    }
    for number in 0..plan.watches {
        let seed = plan.seed.wrapping_mul(31).wrapping_add(number as u64);
        tasks.spawn(watch_around(connect().await?, recorder.clone(), stop.clone(), seed));
    }
    if !plan.compact_every.is_zero() {
        tasks.spawn(compact(connect().await?, recorder.clone(), stop.clone(), plan.compact_every));
    }
    let everything = tokio::spawn(see_everything(connect().await?, recorder.clone(), seen.clone()));

    tokio::time::sleep(WARM).await;
    let warm = recorder.acknowledged();
    let mut random = Random::new(plan.seed ^ 0xfa17);
    let faults = inflict(site, plan, &mut random).await;
    stop.cancel();
    tasks.join_all().await;
    // A last read says where the log has to end.
    let mut client = Client::connect(site.url()).await.map_err(io::Error::other)?;
    let (called_ns, request) = (recorder.now_ns(), Request::Read(super::call::everything()));
    let outcome = super::call::call(&mut client, &request).await;
    recorder.operation(plan.clients, called_ns, request, outcome);
    seen.cancel();
    everything.await.map_err(io::Error::other)?;
    faults?;
    if warm * 1000 < LOAD_MIN_S * u64::try_from(WARM.as_millis()).unwrap_or(u64::MAX) {
        return Err(io::Error::other(format!(
            "void: only {warm} acknowledged writes in {WARM:?} before the first fault"
        )));
    }
    Ok(recorder.take())
}

async fn inflict(site: &mut Site, plan: &Plan, random: &mut Random) -> io::Result<()> {
    let load = async |random: &mut Random| {
        let most = i64::try_from(plan.load.as_millis()).unwrap_or(0);
        tokio::time::sleep(plan.load + Duration::from_millis(random.between(0, most.max(1)).unsigned_abs())).await;
    };
    for fault in &plan.faults {
        load(random).await;
        match fault {
            Fault::None => {}
            Fault::Kill => {
                site.kill()?;
                site.launch()?;
            }
            Fault::Pause(time) => {
                site.pause()?;
                tokio::time::sleep(*time).await;
                site.resume()?;
            }
        }
    }
    load(random).await;
    Ok(())
}

/// How many writes were acknowledged, and how many operations had no answer.
#[must_use]
pub fn tally(history: &History) -> (usize, usize) {
    let acknowledged = history.operations.iter().filter(|operation| operation.acknowledged().is_some()).count();
    let unknown = history
        .operations
        .iter()
        .filter(|operation| operation.outcome == Outcome::Unknown && matches!(operation.request, Request::Write(_)))
        .count();
    (acknowledged, unknown)
}
