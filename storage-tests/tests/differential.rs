//! One stream of random requests to etcd and to Archipel: every reply is the same, or the difference is listed with its
//! reason in `storage-tests/src/differential/explained.rs`.
//!
//! etcd 3.7.3 is built from its Go module, or named by `ARCHIPEL_ETCD`. `ARCHIPEL_DIFFERENTIAL_REQUESTS` and
//! `ARCHIPEL_DIFFERENTIAL_SEED` choose another length and another stream; `ARCHIPEL_DIFFERENTIAL_SURVEY` shows the first difference of every kind instead of stopping at the first of all.

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use archipel_storage_tests::{
    client::wire::RangeResponse,
    differential::{Generator, Outcome, Pair, Reply, Request, ServerKind, Settings, Step, run, shrink},
    upstream::{self, Program},
};
use std::path::{Path, PathBuf};

const REQUESTS: u64 = 20_000;
const SEED: u64 = 1;

fn archipel() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_archipel-under-test"))
}

fn variable(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The steps of a seed with this many requests.
fn steps(seed: u64, requests: u64) -> impl Iterator<Item = Step> + Clone + Send {
    Generator::new(seed).scan(0, move |before, step: Step| {
        let now = *before;
        *before += step.len() as u64;
        (now < requests).then_some(step)
    })
}

fn tell(pair: &Pair, seed: u64, outcome: &Outcome, settings: Settings) -> String {
    let failure = outcome.failure.as_ref().unwrap();
    println!("seed {seed}, step {}: {:#?}\n{:?}", outcome.steps, failure.0, failure.1);
    println!("{}", outcome.logs);
    let until: Vec<Step> = Generator::new(seed).take(outcome.steps).collect();
    let (fewest, differences) = shrink(pair, &until, failure, settings).unwrap();
    let mut told = format!("seed {seed}, shrunk to {} requests:\n", fewest.len());
    fewest.iter().flatten().for_each(|request| told += &format!("  {request:?}\n"));
    differences.iter().for_each(|difference| told += &format!("  => {difference}\n"));
    told
}

#[test]
fn etcd_answers_the_same() {
    let named = std::env::var_os("ARCHIPEL_ETCD").map(PathBuf::from);
    let built = || upstream::program_or_skip(Program::Etcd, Path::new(env!("CARGO_TARGET_TMPDIR")));
    let Some(etcd) = named.or_else(built) else { return };
    let seed = variable("ARCHIPEL_DIFFERENTIAL_SEED", SEED);
    let requests = variable("ARCHIPEL_DIFFERENTIAL_REQUESTS", REQUESTS);
    let pair = Pair::new(&etcd, &archipel());
    let settings = Settings {
        plant: None,
        verbose: requests > REQUESTS,
        survey: std::env::var_os("ARCHIPEL_DIFFERENTIAL_SURVEY").is_some(),
    };
    let outcome = run(&pair, steps(seed, requests), settings).unwrap();
    println!("seed {seed}: {} requests; by method, with those refused: {:?}", outcome.requests, outcome.methods);
    outcome.explained.iter().for_each(|(reason, count)| println!("{count} times: {reason}"));
    if outcome.failure.is_some() {
        panic!("{}", tell(&pair, seed, &outcome, settings));
    }
    assert!(outcome.requests >= requests);
}

/// Says of one kind of Range only that there is more where there is not.
fn promise_more(request: &Request, reply: &mut Reply) {
    if let (Request::Range(range), Reply::Range(RangeResponse { more, kvs, .. })) = (request, reply)
        && range.sort_order == 2
        && !kvs.is_empty()
    {
        *more = !*more;
    }
}

/// A comparison that cannot fail proves nothing: a fault that is planted into one kind of reply is found, and shrunk to the
/// requests that it needs.
#[test]
fn a_planted_fault_is_found_and_shrunk() {
    let this = |kind| (kind, Path::new(&archipel()).to_owned());
    let pair = Pair { left: this(ServerKind::Archipel), right: this(ServerKind::Archipel) };
    let settings = Settings { plant: Some(promise_more), ..Settings::default() };
    let outcome = run(&pair, steps(SEED, REQUESTS), settings).unwrap();
    let failure = outcome.failure.as_ref().expect("the planted fault is found");
    assert!(outcome.requests > 10, "the shrinking has something to do");
    let until: Vec<Step> = Generator::new(SEED).take(outcome.steps).collect();
    let (fewest, differences) = shrink(&pair, &until, failure, settings).unwrap();
    assert!(differences.iter().any(|difference| difference.path == "more"), "{differences:?}");
    // A write, perhaps what makes it possible, and the read.
    assert!(fewest.len() <= 3, "not shrunk: {fewest:?}");
}
