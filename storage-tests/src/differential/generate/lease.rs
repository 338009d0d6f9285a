//! Requests of the Lease service. Times to live are so long that none ends within a run.

use super::{
    super::{random::Random, request::Request},
    generator::LEASES,
};
use crate::client::wire::{LeaseGrantRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest};

/// A time to live that outlasts any run, in seconds.
const LONG_S: i64 = 100_000;
/// etcd's longest time to live, in seconds (server/lease/lessor.go).
const MAX_S: i64 = 9_000_000_000;

/// An id that is often granted.
pub(super) fn id(random: &mut Random) -> i64 {
    1000 + random.between(0, LEASES)
}

/// An id that is never granted.
pub(super) fn unknown_id(random: &mut Random) -> i64 {
    random.pick(&[7, -1, i64::MAX, i64::MIN])
}

pub(super) fn request(random: &mut Random) -> Request {
    let any = if random.percent(85) { id(random) } else { unknown_id(random) };
    match random.weighted(&[45, 12, 25, 6, 12]) {
        0 => Request::LeaseGrant(grant(random)),
        1 => Request::LeaseRevoke(LeaseRevokeRequest { id: any }),
        2 => Request::LeaseTimeToLive(LeaseTimeToLiveRequest { id: any, keys: random.percent(70) }),
        3 => Request::LeaseLeases,
        _ => Request::LeaseKeepAlive(vec![any, id(random), id(random)]),
    }
}

fn grant(random: &mut Random) -> LeaseGrantRequest {
    if random.percent(10) {
        // The server's own id, and short times, which it raises.
        return LeaseGrantRequest { id: 0, ttl: random.pick(&[0, -1, 1, i64::MIN, LONG_S]) };
    }
    let ttl = match random.weighted(&[90, 5, 5]) {
        0 => LONG_S + random.between(0, 10) * 10_000,
        1 => MAX_S,
        _ => random.pick(&[MAX_S + 1, i64::MAX]),
    };
    LeaseGrantRequest { id: id(random), ttl }
}
