//! What status shows: the store's numbers, the book of peers and the links, brought together.

use super::proto::{Candidate, Conflict, Held, Peer, Share, SiteStatus};
use crate::clock::now_unix_ms;
use crate::link::{LinkState, Links};
use crate::peer;
use crate::share::{ConflictView, Facts, ShareView};
use std::net::SocketAddr;

/// Milliseconds in a second.
const MS: f64 = 1000.0;

/// The site itself.
pub(crate) fn site(links: &Links, listening: Option<SocketAddr>, facts: Facts) -> SiteStatus {
    let site = links.site();
    SiteStatus {
        name: site.name.clone(),
        site_id: site.site_id.to_string(),
        actor: site.actor.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        revision: facts.revision,
        compact_revision: facts.compact_revision,
        size_bytes: facts.size_bytes,
        size_in_use_bytes: facts.size_in_use_bytes,
        keys: facts.keys,
        link_listen: listening.map(|address| address.to_string()).unwrap_or_default(),
        link_advertise: links.advertise().unwrap_or_default().to_owned(),
        ca_fingerprint: links.identity().fingerprint.to_string(),
    }
}

/// All peers, by name.
pub(crate) fn peers(links: &Links) -> Vec<Peer> {
    let mut all: Vec<Peer> = links.book().peers().values().map(|peer| one_peer(links, peer)).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// One peer.
pub(crate) fn one_peer(links: &Links, peer: &peer::Peer) -> Peer {
    let link = links.status(peer.site_id);
    let address =
        if link.address.is_empty() { peer.addresses.first().cloned().unwrap_or_default() } else { link.address };
    Peer {
        name: peer.name.clone(),
        site_id: peer.site_id.to_string(),
        ca_fingerprint: peer.fingerprint.to_string(),
        state: link.state.as_str().to_owned(),
        since_unix_ms: link.since_unix_ms,
        last_error: link.last_error,
        last_error_unix_ms: link.last_error_unix_ms,
        address,
        paired_unix_ms: peer.since_unix_ms,
        version: link.version,
        clock_ahead_ms: link.counters.peer_clock_ahead_ms,
        entries_sent: link.counters.entries_sent,
        entries_received: link.counters.entries_received,
        bytes_sent: link.counters.entry_bytes_sent,
        bytes_received: link.counters.entry_bytes_received,
        frames_refused: link.counters.frames_refused,
        sessions: link.sessions,
    }
}

/// One share.
pub(crate) fn share(links: &Links, view: ShareView) -> Share {
    let link = links.status(view.peer);
    let up = link.state == LinkState::Connected;
    let stream = link.streams.get(&view.id).cloned().unwrap_or_default();
    let now = now_unix_ms();
    let seconds_since = |at: u64| now.saturating_sub(at) as f64 / MS;
    let lag_seconds_in = if up { stream.behind_ms as f64 / MS } else { seconds_since(link.since_unix_ms) };
    let is_active = view.state == "active";
    Share {
        id: view.id.to_string(),
        namespace: view.namespace,
        state: view.state.to_owned(),
        with: view.peer_name,
        authority: view.authority,
        epoch: view.epoch,
        keys: view.objects,
        entries: view.have.iter().map(|(_, n)| n).sum(),
        entries_local: view.own_entries,
        entries_seen: view.peer_entries,
        lag_entries_out: view.own_entries.saturating_sub(view.peer_has),
        lag_entries_in: up.then(|| stream.peer_newest.saturating_sub(view.peer_entries)),
        lag_seconds_out: view.oldest_unacknowledged_unix_ms.map_or(0.0, seconds_since),
        lag_seconds_in: if is_active { lag_seconds_in } else { 0.0 },
        conflicts: view.conflicts,
        stream_out: stream.outbound.to_owned(),
        stream_in: stream.inbound.to_owned(),
        error: stream.error,
        held: view.held.into_iter().map(|(object, reason)| Held { object, reason }).collect(),
    }
}

/// One conflict.
pub(crate) fn conflict(view: ConflictView) -> Conflict {
    let candidate =
        |side: crate::share::Candidate| Candidate { site: side.site, unix_ms: side.unix_ms, value: side.value };
    Conflict {
        unix_ms: view.unix_ms,
        namespace: view.namespace,
        object: view.object,
        path: view.path,
        rule: view.rule,
        winner: view.winner.map(candidate),
        loser: Some(candidate(view.loser)),
    }
}
