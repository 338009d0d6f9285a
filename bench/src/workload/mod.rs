//! What is asked of a server, one file a workload, and the table of them.

mod ask;
mod client;
mod data;
mod get;
mod kubernetes_txn;
mod list;
mod mix;
mod objects;
mod put;
mod request;
mod watch;

pub(crate) use ask::ask;
use client::clients;
pub(crate) use client::{Answer, Client, Group, WrongReply};
use data::{Payload, Random};
pub(crate) use get::sample;
pub(crate) use list::{count, first_page};
use objects::{Life, objects};
pub(crate) use put::{FILLED_VALUE_BYTES, RESOURCE, anywhere};
pub(crate) use request::{COMPACT, DEFRAGMENT, RANGE, SNAPSHOT, compact, get, header_revision};
pub(crate) use watch::{Watching, watchers};

use crate::arguments::connections;

/// Calls at once while a store is filled before a measurement.
const FILL_IN_FLIGHT: usize = 100;
/// Objects of the workloads with a fixed key set.
const KEYS: u64 = 10_000;
/// Clients that list at once.
const LISTERS: usize = 4;
/// Watchers, and the gRPC streams that carry them, each on a connection of its own.
const WATCHERS: u64 = 1_000;
const WATCH_STREAMS: u64 = 10;
/// A control plane of 50,000 nodes: as many Lease objects as are renewed in ten seconds are kept small here, so that each
/// is renewed once a second.
const LEASES_PER_S: usize = 5_000;
const LEASE_CLIENTS: usize = 200;
const POD_CHURNS_PER_S: usize = 100;
/// Create, the kubelet's and the scheduler's updates, delete.
const WRITES_OF_A_POD: usize = 5;
const POD_CLIENTS: usize = 50;

/// How many calls a rate is measured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InFlight {
    /// As the command line says.
    Asked,
    /// Always the same.
    Fixed(usize),
}

/// A workload whose rate is measured in a window of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// What must be in the store before; nobody when it starts empty.
    pub(crate) preparation: fn() -> Vec<Group>,
    /// Clients that go on for ever, for so many calls in flight.
    pub(crate) groups: fn(usize) -> Vec<Group>,
    pub(crate) in_flight: InFlight,
    /// What one unit of work is called.
    pub(crate) unit: &'static str,
    /// The null server can answer it.
    pub(crate) has_limit: bool,
}

/// The workloads whose rate is measured: their name on the command line, what they are, how they run.
pub(crate) const RATES: [(&str, &str, Rate); 9] = [
    ("put", "put 256 B", asked("request", Vec::new, |in_flight| closed_loop(in_flight, put::endless))),
    (
        "txn",
        "Kubernetes create and update, 1 KiB",
        asked("request", Vec::new, |in_flight| closed_loop(in_flight, kubernetes_txn::endless)),
    ),
    ("get", "get 1 KiB", asked("request", keys, |in_flight| closed_loop(in_flight, get::endless))),
    (
        "list",
        "list 10,000 x 1 KiB by 500, 4 clients",
        fixed("key", LISTERS, keys, |count| each_its_connection(count, |_, _| list::by_pages(put::RESOURCE, KEYS))),
    ),
    (
        "range-stream",
        "RangeStream of 10,000 x 1 KiB, 4 clients",
        fixed("key", LISTERS, keys, |count| each_its_connection(count, |_, _| list::as_stream(put::RESOURCE, KEYS))),
    ),
    ("watch-50", "watch 1 KiB, 1,000 watchers, 50 writers", fixed("event", 50, Vec::new, watched)),
    ("watch-1", "watch 1 KiB, 1,000 watchers, 1 writer", fixed("event", 1, Vec::new, watched)),
    ("mix", "etcd's Kubernetes traffic, 1,000 requests/s", fixed("request", 2 * mix::CLIENTS, Vec::new, mixed)),
    (
        "leases",
        "5,000 lease renewals and 100 pod churns a second",
        fixed("request", LEASE_CLIENTS + POD_CLIENTS, Vec::new, |_| renewals_and_churn()),
    ),
];

const fn asked(unit: &'static str, preparation: fn() -> Vec<Group>, groups: fn(usize) -> Vec<Group>) -> Rate {
    Rate { preparation, groups, in_flight: InFlight::Asked, unit, has_limit: true }
}

const fn fixed(
    unit: &'static str,
    in_flight: usize,
    preparation: fn() -> Vec<Group>,
    groups: fn(usize) -> Vec<Group>,
) -> Rate {
    Rate { preparation, groups, in_flight: InFlight::Fixed(in_flight), unit, has_limit: false }
}

/// A client that asks once for a key that does not exist, to see whether a server answers.
pub(crate) fn probe() -> Vec<Group> {
    vec![Group::closed_loop(vec![get::probe()], 1)]
}

/// Puts `keys` objects from number `first` on, with values of so many bytes, and ends.
pub(crate) fn fill(resource: &'static str, first: u64, keys: u64, value_bytes: usize) -> Vec<Group> {
    closed_loop(FILL_IN_FLIGHT, |index, count| put::filling(resource, first, keys, value_bytes, index, count))
}

/// The objects that reads find.
fn keys() -> Vec<Group> {
    fill(put::RESOURCE, 0, KEYS, put::FILLED_VALUE_BYTES)
}

fn closed_loop(in_flight: usize, make: impl Fn(u64, u64) -> Box<dyn Client>) -> Vec<Group> {
    vec![Group::closed_loop(clients(in_flight, make), connections(in_flight))]
}

fn each_its_connection(count: usize, make: impl Fn(u64, u64) -> Box<dyn Client>) -> Vec<Group> {
    vec![Group::closed_loop(clients(count, make), count)]
}

fn watched(writers: usize) -> Vec<Group> {
    let streams = usize::try_from(WATCH_STREAMS).expect("invariant: a small number");
    let watchers = |index, count| watchers(Watching::Writes, index, WATCHERS / count);
    vec![
        Group::closed_loop(clients(streams, watchers), streams),
        Group::closed_loop(clients(writers, watch::writer), connections(writers)),
    ]
}

fn mixed(_clients: usize) -> Vec<Group> {
    let watchers = |index, _| watchers(Watching::Others(mix::RESOURCE), index, 1);
    let paced = |make: fn(u64, u64) -> Box<dyn Client>| Group {
        rate: Some(mix::RATE),
        ..Group::closed_loop(clients(mix::CLIENTS, make), mix::CLIENTS)
    };
    vec![Group::closed_loop(clients(mix::CLIENTS, watchers), mix::CLIENTS), paced(mix::reader), paced(mix::writer)]
}

fn renewals_and_churn() -> Vec<Group> {
    const LEASES: Life = Life { resource: "leases", value_bytes: 384, updates: None };
    const PODS: Life = Life { resource: "pods", value_bytes: 2_048, updates: Some(3) };
    let renewals = clients(LEASE_CLIENTS, |index, _| objects(LEASES, index, LEASES_PER_S / LEASE_CLIENTS));
    let churn = clients(POD_CLIENTS, |index, _| objects(PODS, index, 1));
    let rate = |per_s: usize| Some(per_s as f64);
    vec![
        Group { rate: rate(LEASES_PER_S), ..Group::closed_loop(renewals, connections(LEASE_CLIENTS)) },
        Group { rate: rate(POD_CHURNS_PER_S * WRITES_OF_A_POD), ..Group::closed_loop(churn, connections(POD_CLIENTS)) },
    ]
}
