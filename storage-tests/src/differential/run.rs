//! A stream of steps to both servers.

use super::{
    compare::{Difference, compare},
    reply::Reply,
    request::{Request, Step},
    runner::Runner,
    server::{Server, ServerKind},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

/// Steps that one server may be ahead of the other.
const AHEAD_MAX: usize = 64;

/// The two programs.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The yardstick, and which kind it is.
    pub left: (ServerKind, PathBuf),
    /// What is judged.
    pub right: (ServerKind, PathBuf),
}

impl Pair {
    /// etcd against Archipel.
    #[must_use]
    pub fn new(etcd: &Path, archipel: &Path) -> Pair {
        Pair { left: (ServerKind::Etcd, etcd.to_owned()), right: (ServerKind::Archipel, archipel.to_owned()) }
    }
}

/// A fault that is put into the right server's replies, to see whether it is found.
pub type Plant = fn(&Request, &mut Reply);

/// How a run goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// The planted fault.
    pub plant: Option<Plant>,
    /// Prints how far the run is.
    pub verbose: bool,
    /// Goes on after a difference, and prints the first of each kind.
    pub survey: bool,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Requests that were compared.
    pub requests: u64,
    /// Steps that were compared, the failed one included.
    pub steps: usize,
    /// How many requests of each method, and how many of them were refused by etcd.
    pub methods: BTreeMap<&'static str, (u64, u64)>,
    /// How often each reason explained a difference.
    pub explained: BTreeMap<&'static str, u64>,
    /// The first request with an unexplained difference.
    pub failure: Option<(Request, Vec<Difference>)>,
    /// The end of the servers' logs, if the run failed.
    pub logs: String,
}

/// Runs the steps on two fresh servers, up to the first unexplained difference.
///
/// # Errors
/// A server does not start.
pub fn run<S>(pair: &Pair, steps: S, settings: Settings) -> io::Result<Outcome>
where
    S: Iterator<Item = Step> + Clone + Send,
{
    let left = Server::start(pair.left.0, &pair.left.1)?;
    let right = Server::start(pair.right.0, &pair.right.1)?;
    let mut outcome = thread::scope(|scope| {
        let (left_out, left_in) = sync_channel(AHEAD_MAX);
        let (right_out, right_in) = sync_channel(AHEAD_MAX);
        let (left_url, right_url) = (left.url(), right.url());
        let (left_steps, right_steps) = (steps.clone(), steps.clone());
        scope.spawn(move || ask(&left_url, left_steps, &left_out));
        scope.spawn(move || ask(&right_url, right_steps, &right_out));
        judge(steps, &left_in, &right_in, settings)
    });
    if outcome.failure.is_some() {
        outcome.logs = format!("{}{}", left.log(), right.log());
    }
    Ok(outcome)
}

/// Asks one server; ends when nobody takes the replies any more.
fn ask(url: &str, steps: impl Iterator<Item = Step>, replies: &SyncSender<Vec<Reply>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let mut runner = Runner::connect(url).await.expect("a started server takes connections");
        for step in steps {
            if replies.send(runner.step(step).await).is_err() {
                return;
            }
        }
    });
}

fn judge(
    steps: impl Iterator<Item = Step>,
    left: &Receiver<Vec<Reply>>,
    right: &Receiver<Vec<Reply>>,
    settings: Settings,
) -> Outcome {
    const TOLD_EVERY: u64 = 50_000;
    let mut outcome = Outcome::default();
    let (mut told, mut kinds) = (0, BTreeSet::new());
    for step in steps {
        let (Ok(left), Ok(right)) = (left.recv(), right.recv()) else { break };
        outcome.steps += 1;
        for ((request, left), mut right) in step.into_iter().zip(left).zip(right) {
            if let Some(plant) = settings.plant {
                plant(&request, &mut right);
            }
            outcome.requests += 1;
            let (count, refused) = outcome.methods.entry(request.method()).or_default();
            *count += 1;
            *refused += u64::from(matches!(left, Reply::Error { .. }));
            let differences = compare(&request, left, right);
            let unexplained = differences.iter().find(|difference| difference.reason.is_none());
            if let (Some(difference), true) = (unexplained, settings.survey) {
                if kinds.insert((difference.method, difference.place())) {
                    println!("{difference}\n  of {request:?}");
                }
            } else if unexplained.is_some() {
                outcome.failure = Some((request, differences));
                return outcome;
            }
            for reason in differences.into_iter().filter_map(|difference| difference.reason) {
                *outcome.explained.entry(reason).or_default() += 1;
            }
        }
        if settings.verbose && outcome.requests >= told + TOLD_EVERY {
            told = outcome.requests;
            println!("{told} requests");
        }
    }
    outcome
}
