//! Peers, shares and conflicts as tables and as JSON. The JSON fields are a contract: they are added to, never renamed.

use super::output::{Table, ago, seconds};
use crate::admin::grpc::proto::{Candidate, Conflict, Peer, Share, SiteStatus};
use serde_json::{Value, json};

/// State of a link that is up.
const CONNECTED: &str = "connected";
/// State of a share that replicates.
const ACTIVE: &str = "active";

/// True if the peer's link is up.
pub(crate) fn is_connected(peer: &Peer) -> bool {
    peer.state == CONNECTED
}

/// True if both directions of the share's link flow, or the share waits for a consent.
pub(crate) fn is_well(share: &Share) -> bool {
    share.state != ACTIVE || (share.error.is_empty() && share.stream_out == "replicate" && share.stream_in == "open")
}

/// True if both sites are known to have the same entries.
pub(crate) fn is_caught_up(share: &Share) -> bool {
    share.state == ACTIVE && is_well(share) && share.lag_entries_out == 0 && share.lag_entries_in == Some(0)
}

/// The site as JSON.
pub(crate) fn site_json(site: &SiteStatus) -> Value {
    json!({
        "name": site.name, "site_id": site.site_id, "actor": site.actor, "version": site.version,
        "revision": site.revision, "compact_revision": site.compact_revision, "keys": site.keys,
        "size_bytes": site.size_bytes, "size_in_use_bytes": site.size_in_use_bytes,
        "link_listen": site.link_listen, "link_advertise": site.link_advertise,
        "ca_fingerprint": site.ca_fingerprint,
    })
}

/// A peer as JSON.
pub(crate) fn peer_json(peer: &Peer) -> Value {
    json!({
        "name": peer.name, "site_id": peer.site_id, "ca_fingerprint": peer.ca_fingerprint,
        "state": peer.state, "connected": is_connected(peer), "since_unix_ms": peer.since_unix_ms,
        "last_error": peer.last_error, "last_error_unix_ms": peer.last_error_unix_ms, "address": peer.address,
        "paired_unix_ms": peer.paired_unix_ms, "version": peer.version, "clock_ahead_ms": peer.clock_ahead_ms,
        "sessions": peer.sessions, "entries_sent": peer.entries_sent, "entries_received": peer.entries_received,
        "bytes_sent": peer.bytes_sent, "bytes_received": peer.bytes_received, "frames_refused": peer.frames_refused,
    })
}

/// A share as JSON. `lag_entries_in` is null while the peer is not connected: it is not known then.
pub(crate) fn share_json(share: &Share) -> Value {
    let held: Vec<Value> =
        share.held.iter().map(|held| json!({ "object": held.object, "reason": held.reason })).collect();
    json!({
        "id": share.id, "namespace": share.namespace, "state": share.state, "with": share.with,
        "authority": share.authority, "epoch": share.epoch, "keys": share.keys, "entries": share.entries,
        "entries_local": share.entries_local, "entries_seen": share.entries_seen,
        "lag_entries_out": share.lag_entries_out, "lag_entries_in": share.lag_entries_in,
        "lag_seconds_out": share.lag_seconds_out, "lag_seconds_in": share.lag_seconds_in,
        "conflicts": share.conflicts, "stream_out": share.stream_out, "stream_in": share.stream_in,
        "error": share.error, "held": held,
    })
}

/// A conflict as JSON; the values are JSON themselves.
pub(crate) fn conflict_json(conflict: &Conflict) -> Value {
    let side = |side: &Candidate| {
        let value = serde_json::from_str(&side.value).unwrap_or_else(|_| Value::String(side.value.clone()));
        json!({ "site": side.site, "unix_ms": side.unix_ms, "value": value })
    };
    json!({
        "unix_ms": conflict.unix_ms, "namespace": conflict.namespace, "object": conflict.object,
        "path": conflict.path, "rule": conflict.rule,
        "winner": conflict.winner.as_ref().map(side), "loser": conflict.loser.as_ref().map(side),
    })
}

/// Peers as a table.
pub(crate) fn peer_table(peers: &[Peer]) -> String {
    let mut table = Table::new(&["PEER", "STATE", "SINCE", "ADDRESS", "LAST ERROR"]);
    for peer in peers {
        // An error that a standing session has left behind is history.
        let error = if is_connected(peer) { String::new() } else { peer.last_error.clone() };
        table.row([peer.name.clone(), peer.state.clone(), ago(peer.since_unix_ms), peer.address.clone(), error]);
    }
    table.render()
}

/// Shares as a table.
pub(crate) fn share_table(shares: &[Share]) -> String {
    let mut table = Table::new(&["NAMESPACE", "WITH", "STATE", "KEYS", "LAG OUT", "LAG IN", "CONFLICTS", "NOTE"]);
    for share in shares {
        let lag_in = share.lag_entries_in.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let note = match (&share.error, share.held.len(), share.state.as_str()) {
            (error, _, _) if !error.is_empty() => error.clone(),
            (_, 1.., _) => format!("{} held: archipel share list -o json", share.held.len()),
            (_, _, "invited") => format!("archipel share accept -n {} --from {}", share.namespace, share.with),
            (_, _, "proposed") => format!("{} has to accept", share.with),
            _ => String::new(),
        };
        table.row([
            share.namespace.clone(),
            share.with.clone(),
            share.state.clone(),
            share.keys.to_string(),
            lag(&share.lag_entries_out.to_string(), share.lag_seconds_out),
            lag(&lag_in, share.lag_seconds_in),
            share.conflicts.to_string(),
            note,
        ]);
    }
    table.render()
}

/// Conflicts as a table, with both values.
pub(crate) fn conflict_table(conflicts: &[Conflict]) -> String {
    let mut table = Table::new(&["AGE", "NAMESPACE", "OBJECT", "FIELD", "RULE", "SHOWN", "NOT SHOWN"]);
    let side = |side: &Candidate| format!("{} ({})", side.value, side.site);
    for conflict in conflicts {
        table.row([
            ago(conflict.unix_ms),
            conflict.namespace.clone(),
            conflict.object.clone(),
            conflict.path.clone(),
            conflict.rule.clone(),
            conflict.winner.as_ref().map_or_else(|| "(deleted)".to_owned(), side),
            conflict.loser.as_ref().map(side).unwrap_or_default(),
        ]);
    }
    table.render()
}

fn lag(entries: &str, s: f64) -> String {
    if s > 0.0 { format!("{entries} ({})", seconds(s)) } else { entries.to_owned() }
}
