//! What cleaning costs and what it keeps: overwrites of random keys, compacted every second, on a real directory.
//!
//! ```text
//! cargo run --release -p archipel-store --example cleaning -- DIR KEYS VALUE_BYTES SECONDS PUTS_PER_S CLIENTS
//! ```
//!
//! One line a second: puts, their p50 and p99, live bytes, the log's and the index's bytes on disk, and the log's as a
//! multiple of what is live. `PUTS_PER_S` 0 is as fast as it goes. Then the writers stop, everything is compacted, and
//! it is shown what the disk settles at.

use archipel_store::mvcc::PutRequest;
use archipel_store::{Config, Store};
use bytes::Bytes;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

const MIB: f64 = (1 << 20) as f64;
/// Revisions that a compaction leaves.
const KEPT_REVISIONS: i64 = 1_000;
const SETTLE: Duration = Duration::from_secs(20);

struct Plan {
    keys: u64,
    value: Bytes,
    seconds: u64,
    puts_per_s: u64,
    clients: u64,
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, keys, value_bytes, seconds, puts_per_s, clients] = arguments.as_slice() else {
        eprintln!("usage: cleaning DIR KEYS VALUE_BYTES SECONDS PUTS_PER_S CLIENTS");
        std::process::exit(2);
    };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let mut random = Random(1);
    let value: Vec<u8> = (0..number(value_bytes)).map(|_| random.below(256) as u8).collect();
    let plan = Plan {
        keys: number(keys),
        value: value.into(),
        seconds: number(seconds),
        puts_per_s: number(puts_per_s),
        clients: number(clients),
    };
    let dir = Path::new(dir);
    let store = Store::open(Config::new(dir, "nantes")).expect("the directory can be used");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let local = tokio::task::LocalSet::new();
    println!(
        "{:>6} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>6}",
        "s", "puts", "p50 µs", "p99 µs", "live MiB", "log MiB", "index MiB", "factor"
    );
    local.block_on(&runtime, run(&store, dir, plan));
    runtime.block_on(store.close());
}

async fn run(store: &Store, dir: &Path, plan: Plan) {
    let plan = Rc::new(plan);
    for first in 0..plan.keys.min(256) {
        fill(store, &plan, first).await;
    }
    let latencies = Rc::new(RefCell::new(Vec::new()));
    let started = Instant::now();
    let mut tasks = Vec::new();
    for client in 0..plan.clients {
        let (store, plan, latencies) = (store.clone(), plan.clone(), latencies.clone());
        tasks.push(tokio::task::spawn_local(async move {
            let mut random = Random(client);
            let mut puts = 0_u32;
            while started.elapsed().as_secs() < plan.seconds {
                if plan.puts_per_s > 0 {
                    let due = Duration::from_secs_f64(
                        (plan.clients * u64::from(puts) + client) as f64 / plan.puts_per_s as f64,
                    );
                    tokio::time::sleep(due.saturating_sub(started.elapsed())).await;
                }
                puts += 1;
                let began = Instant::now();
                store.put(put(&plan, random.below(plan.keys))).await.expect("the store takes puts");
                latencies.borrow_mut().push(began.elapsed());
            }
        }));
    }
    for second in 1..=plan.seconds {
        tokio::time::sleep(Duration::from_secs(second).saturating_sub(started.elapsed())).await;
        compact(store, KEPT_REVISIONS).await;
        let taken = std::mem::take(&mut *latencies.borrow_mut());
        line(store, dir, started, taken);
    }
    for task in tasks {
        task.await.expect("a client");
    }
    compact(store, 0).await;
    println!("the writers stopped, everything is compacted");
    let stopped = Instant::now();
    while stopped.elapsed() < SETTLE {
        tokio::time::sleep(Duration::from_secs(2)).await;
        line(store, dir, started, Vec::new());
    }
}

/// Every 256th key.
async fn fill(store: &Store, plan: &Plan, first: u64) {
    let puts = (first..plan.keys).step_by(256).map(|key| {
        let (store, request) = (store.clone(), put(plan, key));
        tokio::task::spawn_local(async move { drop(store.put(request).await.expect("the store takes puts")) })
    });
    for put in puts.collect::<Vec<_>>() {
        put.await.expect("a put");
    }
}

fn put(plan: &Plan, key: u64) -> PutRequest {
    PutRequest { key: format!("/registry/things/{key:09}").into(), value: plan.value.clone(), ..PutRequest::default() }
}

async fn compact(store: &Store, kept: i64) {
    let revision = store.revision() - kept;
    if revision > store.compact_revision().max(1) {
        store.compact(revision, false).await.expect("a compaction");
    }
}

fn line(store: &Store, dir: &Path, started: Instant, mut latencies: Vec<Duration>) {
    latencies.sort_unstable();
    let percentile = |share: f64| {
        let at = (latencies.len() as f64 * share) as usize;
        latencies.get(at).map_or(0, Duration::as_micros)
    };
    let (live, log, index) = (store.size().in_use_bytes as f64, bytes(&dir.join("log")), bytes(&dir.join("index")));
    println!(
        "{:6.1} {:8} {:8} {:8} {:9.1} {:9.1} {:9.1} {:6.2}",
        started.elapsed().as_secs_f64(),
        latencies.len(),
        percentile(0.50),
        percentile(0.99),
        live / MIB,
        log / MIB,
        index / MIB,
        log / live,
    );
}

/// Bytes of a directory's files.
fn bytes(dir: &Path) -> f64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0.0 };
    let entries = entries.filter_map(Result::ok).filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    entries.map(|(path, metadata)| if metadata.is_dir() { bytes(&path) } else { metadata.len() as f64 }).sum()
}
