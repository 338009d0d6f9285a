//! How near to its limit a server is: what the transport and the disk cost alone, measured in the same rounds.

use crate::compare::{Outcome, Series, Values};
use crate::server::Found;

/// Adds to each round of each real server what follows from the null server's same round.
pub(crate) fn relate_to_limits(outcomes: &mut [Outcome], servers: &[Found]) {
    let Some(limit) = servers.iter().position(Found::is_limit) else { return };
    for outcome in outcomes {
        let Some(null) = outcome.series.get(limit).cloned() else { continue };
        for (series, server) in outcome.series.iter_mut().zip(servers) {
            if !server.is_limit() {
                relate(series, &null);
            }
        }
    }
}

fn relate(series: &mut Series, null: &Series) {
    for (round, limit) in series.rounds.iter_mut().zip(&null.rounds) {
        let of = |values: &Values, name| values.get(name).copied();
        if let (Some(sync), Some(null_ms)) = (of(round, "sync_p50_ms"), of(limit, "latency_p50_ms")) {
            let floor_ms = sync + null_ms;
            round.insert("floor_ms", floor_ms);
            let p50 = of(round, "latency_p50_ms");
            round.extend(p50.map(|p50| ("p50_to_floor", p50 / floor_ms)));
        }
        if let (Some(cpu), Some(limit)) = (of(round, "server_cpu_us"), of(limit, "server_cpu_us")) {
            round.insert("cpu_to_null", cpu / limit);
        }
    }
}
