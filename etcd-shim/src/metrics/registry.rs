//! The registry: what is counted as it happens, and what is read from the store when Prometheus asks.

use super::{Calls, ClientRequests, DiskMetrics, process::ProcessMetrics, storage::StorageMetrics};
use crate::{
    config::{ETCD_CLUSTER_SERIES, ETCD_VERSION},
    tls::LiveTls,
};
use archipel_store::{
    Store,
    mvcc::{OpReply, TxnReply},
};
use prometheus::{Encoder, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

/// Gauges that never change: a site has one writer and one member, and a watcher is a cursor, for which nothing is queued.
const CONSTANT_GAUGES: &[(&str, i64, &str)] = &[
    ("etcd_server_has_leader", 1, "1: a site always has a leader, itself."),
    ("etcd_server_is_leader", 1, "1: a site is its own leader."),
    ("etcd_server_is_learner", 0, "0: a site is no learner."),
    ("etcd_server_snapshot_apply_in_progress_total", 0, "0: a site applies no snapshots of other members."),
    ("etcd_debugging_mvcc_slow_watcher_total", 0, "0: a watcher that is behind holds nothing up."),
    ("etcd_debugging_mvcc_pending_events_total", 0, "0: nothing is queued for a watcher."),
    ("etcd_disk_defrag_inflight", 0, "0: cleaning runs all the time, beside the requests."),
];
/// Counters that never count after the start, for the same reasons.
const CONSTANT_COUNTERS: &[(&str, u64, &str)] = &[
    ("etcd_server_leader_changes_seen_total", 1, "1: a site became its own leader when it started."),
    ("etcd_server_heartbeat_send_failures_total", 0, "0: there are no members to send heartbeats to."),
    ("etcd_server_learner_promote_successes", 0, "0: there are no learners."),
    ("etcd_server_slow_read_indexes_total", 0, "0: a read asks nobody."),
    ("etcd_server_read_indexes_failed_total", 0, "0: a read asks nobody."),
];

/// What the operator wants to know.
#[derive(Clone, Copy, Debug)]
pub struct MetricsSettings {
    /// Histograms of every gRPC method.
    pub extensive: bool,
    /// A unary request that takes longer is logged.
    pub slow_request: Duration,
}

/// What the metrics say of the site from its start on.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The member's id.
    pub member_id: u64,
    /// The quota; None = none.
    pub quota_bytes: Option<u64>,
}

/// All metrics of the process.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Registry,
    /// gRPC calls.
    pub calls: Calls,
    /// Requests by kind.
    pub mvcc: MvccCounters,
    /// Leases.
    pub lease: LeaseCounters,
    /// Bytes from and to clients.
    pub network: NetworkCounters,
    /// Requests by the client's version.
    pub clients: ClientRequests,
    /// The disk.
    pub disk: DiskMetrics,
    /// Watchers that exist now.
    pub watchers: IntGauge,
    /// Streams of watchers that exist now.
    pub watch_streams: IntGauge,
    /// Answers of `/health`.
    pub health: HealthCounters,
    /// Commits that failed.
    pub failed: IntCounter,
    process: ProcessMetrics,
    storage: StorageMetrics,
    scraped: Scraped,
    certificates: Arc<OnceLock<Arc<LiveTls>>>,
}

/// Requests by kind.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct MvccCounters {
    pub range: IntCounter,
    pub put: IntCounter,
    pub delete: IntCounter,
    pub txn: IntCounter,
}

impl MvccCounters {
    /// Counts a transaction and what its branch did.
    pub fn count_txn(&self, reply: &TxnReply) {
        self.txn.inc();
        for (_, reply) in &reply.replies {
            match reply {
                OpReply::Range(_) => self.range.inc(),
                OpReply::Put(_) => self.put.inc(),
                OpReply::DeleteRange(reply) => self.delete.inc_by(u64::try_from(reply.deleted).unwrap_or(0)),
                OpReply::Txn(nested) => self.count_txn(nested),
            }
        }
    }
}

/// Leases.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct LeaseCounters {
    pub granted: IntCounter,
    pub revoked: IntCounter,
    pub renewed: IntCounter,
}

/// Answers of `/health`.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct HealthCounters {
    pub success: IntCounter,
    pub failure: IntCounter,
}

/// Bytes from and to clients.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct NetworkCounters {
    pub received: IntCounter,
    pub sent: IntCounter,
}

/// Gauges that are set when Prometheus asks.
#[derive(Clone, Debug)]
struct Scraped {
    db_total: IntGauge,
    db_in_use: IntGauge,
    keys: IntGauge,
    current_revision: IntGauge,
    compact_revision: IntGauge,
    committed: IntGauge,
    applied: IntGauge,
    expired: IntCounter,
    lives: Arc<OnceLock<u64>>,
    tls_not_after: IntGaugeVec,
}

impl Metrics {
    /// All metrics at their start.
    ///
    /// # Errors
    /// Two metrics have one name: a mistake in this folder.
    pub fn new(wish: MetricsSettings) -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let metrics = Metrics {
            calls: Calls::register(&registry, wish)?,
            clients: ClientRequests::register(&registry)?,
            disk: DiskMetrics::register(&registry)?,
            process: ProcessMetrics::register(&registry)?,
            storage: StorageMetrics::register(&registry)?,
            health: HealthCounters {
                success: counter("etcd_server_health_success", "The total number of successful health checks")?,
                failure: counter("etcd_server_health_failures", "The total number of failed health checks")?,
            },
            failed: counter("etcd_server_proposals_failed_total", "Commits that failed.")?,
            watch_streams: gauge("etcd_debugging_mvcc_watch_stream_total", "Total number of watch streams.")?,
            mvcc: MvccCounters {
                range: counter("etcd_mvcc_range_total", "Total number of ranges seen by this member.")?,
                put: counter("etcd_mvcc_put_total", "Total number of puts seen by this member.")?,
                delete: counter("etcd_mvcc_delete_total", "Total number of deletes seen by this member.")?,
                txn: counter("etcd_mvcc_txn_total", "Total number of txns seen by this member.")?,
            },
            lease: LeaseCounters {
                granted: counter("etcd_debugging_lease_granted_total", "The total number of granted leases.")?,
                revoked: counter("etcd_debugging_lease_revoked_total", "The total number of revoked leases.")?,
                renewed: counter("etcd_debugging_lease_renewed_total", "The total number of renewed leases.")?,
            },
            network: NetworkCounters {
                received: counter("etcd_network_client_grpc_received_bytes_total", "Bytes received from clients.")?,
                sent: counter("etcd_network_client_grpc_sent_bytes_total", "Bytes sent to clients.")?,
            },
            watchers: gauge("etcd_debugging_mvcc_watcher_total", "Total number of watchers.")?,
            scraped: Scraped {
                db_total: gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes of the store on disk.")?,
                db_in_use: gauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Bytes of live data.")?,
                keys: gauge("etcd_debugging_mvcc_keys_total", "Total number of keys.")?,
                current_revision: gauge("etcd_debugging_mvcc_current_revision", "The current revision.")?,
                compact_revision: gauge("etcd_debugging_mvcc_compact_revision", "The last compacted revision.")?,
                committed: gauge("etcd_server_proposals_committed_total", "Commits of this site.")?,
                applied: gauge("etcd_server_proposals_applied_total", "Commits that readers can see.")?,
                expired: counter("etcd_debugging_server_lease_expired_total", "The total number of expired leases.")?,
                lives: Arc::default(),
                tls_not_after: roles(&registry)?,
            },
            certificates: Arc::default(),
            registry: registry.clone(),
        };
        for (name, value, help) in CONSTANT_GAUGES {
            gauge(name, help)?.set(*value);
        }
        for (name, value, help) in CONSTANT_COUNTERS {
            counter(name, help)?.inc_by(*value);
        }
        gauge("etcd_server_proposals_pending", "Commits that wait for the disk.")?.set(0);
        version(&registry, "etcd_server_version", "server_version", ETCD_VERSION)?;
        version(&registry, "etcd_cluster_version", "cluster_version", ETCD_CLUSTER_SERIES)?;
        Ok(metrics)
    }

    /// Says who the site is. Called once, when its store is open.
    ///
    /// # Errors
    /// It was called before.
    pub fn identify(&self, identity: Identity, store: &Store) -> prometheus::Result<()> {
        let quota = IntGauge::new("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.")?;
        quota.set(signed(identity.quota_bytes.unwrap_or(0)));
        self.registry.register(Box::new(quota))?;
        self.scraped.lives.get_or_init(|| store.leases().len() as u64);
        version(&self.registry, "etcd_server_id", "server_id", &format!("{:x}", identity.member_id))
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// A metric cannot be written.
    pub fn text(&self, store: &Store) -> prometheus::Result<Vec<u8>> {
        let size = store.size();
        let revision = store.revision();
        self.scraped.db_total.set(signed(size.total_bytes));
        self.scraped.db_in_use.set(signed(size.in_use_bytes));
        self.scraped.keys.set(signed(size.keys));
        self.scraped.current_revision.set(revision);
        self.scraped.compact_revision.set(store.compact_revision());
        self.scraped.committed.set(revision);
        self.scraped.applied.set(revision);
        self.count_expired(store);
        self.process.read();
        self.storage.read(store);
        if let Some(tls) = self.certificates.get() {
            let facts = tls.facts();
            let set = |role, not_after_s| self.scraped.tls_not_after.with_label_values(&[role]).set(not_after_s);
            set("server", facts.server_not_after_s);
            if let Some(not_after_s) = facts.client_ca_not_after_s {
                set("client-ca", not_after_s);
            }
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// Leases that are gone and were not revoked have expired. etcd counts them as revoked too.
    fn count_expired(&self, store: &Store) {
        let born = self.scraped.lives.get().copied().unwrap_or(0) + self.lease.granted.get();
        let gone = born.saturating_sub(store.leases().len() as u64);
        let expired = gone.saturating_sub(self.lease.revoked.get());
        self.scraped.expired.inc_by(expired);
        self.lease.revoked.inc_by(expired);
    }

    /// Shows when these certificates end. Called once, before anything is served.
    pub fn watch_certificates(&self, tls: Arc<LiveTls>) {
        if self.certificates.set(tls).is_err() {
            tracing::warn!("the certificates of another listener are shown already");
        }
    }

    /// The registry, for metrics of other rooms.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

fn roles(registry: &Registry) -> prometheus::Result<IntGaugeVec> {
    let help = "When the certificate of this role ends, in seconds since 1970.";
    let gauge = IntGaugeVec::new(Opts::new("archipel_tls_not_after_seconds", help), &["role"])?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

/// A gauge that is always 1 and carries a version in its label.
fn version(registry: &Registry, name: &str, label: &str, version: &str) -> prometheus::Result<()> {
    let gauge =
        IntGaugeVec::new(Opts::new(name, "Which version is running. 1 for the version in the label."), &[label])?;
    registry.register(Box::new(gauge.clone()))?;
    gauge.with_label_values(&[version]).set(1);
    Ok(())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
