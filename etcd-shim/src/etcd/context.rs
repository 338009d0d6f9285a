//! What all services share: the store, this member's identity, limits, alarms.

use super::{alarm::Alarms, auth::Auth, wire::ResponseHeader};
use crate::{config::Limits, metrics::Metrics};
use archipel_store::Store;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// The only term of a store with one writer.
const RAFT_TERM: u64 = 1;

/// Shared by all services of all connections; clones are cheap.
#[derive(Clone, Debug)]
pub struct Context(Arc<Shared>);

/// What is shared.
#[derive(Debug)]
pub struct Shared {
    /// The site's store.
    pub store: Store,
    /// Who answers.
    pub member: Member,
    /// Limits of requests.
    pub limits: Limits,
    /// Interval of periodic progress notifications.
    pub progress_notify: Duration,
    /// Quota and alarms.
    pub alarms: Alarms,
    /// Who may do what.
    pub auth: Auth,
    /// Counters.
    pub metrics: Metrics,
    /// Cancelled when the process stops: streams end.
    pub stop: CancellationToken,
}

/// This site as an etcd member. It is the only one of its cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Cluster id, not zero, the same over restarts.
    pub cluster_id: u64,
    /// Member id, not zero, the same over restarts.
    pub member_id: u64,
    /// The site's name.
    pub name: String,
    /// What clients dial.
    pub client_urls: Vec<String>,
    /// What other members would dial, if there were any: shown, never dialled.
    pub peer_urls: Vec<String>,
}

impl Member {
    /// The member that this site is. Ids come from 16 bytes that identify the site.
    #[must_use]
    pub fn new(identity: [u8; 16], name: String, client_urls: Vec<String>, peer_urls: Vec<String>) -> Member {
        let [a, b, c, d, e, f, g, h, tail @ ..] = identity;
        // Zero means "no member" on the wire.
        Member {
            cluster_id: u64::from_be_bytes(tail).max(1),
            member_id: u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1),
            name,
            client_urls,
            peer_urls,
        }
    }
}

impl Context {
    /// Shares `shared`.
    #[must_use]
    pub fn new(shared: Shared) -> Context {
        Context(Arc::new(shared))
    }

    /// A header with this revision.
    #[must_use]
    pub fn header(&self, revision: i64) -> ResponseHeader {
        ResponseHeader {
            cluster_id: self.member.cluster_id,
            member_id: self.member.member_id,
            revision,
            raft_term: RAFT_TERM,
        }
    }

    /// A header with the store's current revision.
    #[must_use]
    pub fn header_now(&self) -> ResponseHeader {
        self.header(self.store.revision())
    }

    /// The term, for replies that carry it beside the header.
    #[must_use]
    pub const fn raft_term(&self) -> u64 {
        RAFT_TERM
    }
}

impl std::ops::Deref for Context {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
