//! The registry: what is counted as it happens, and what is read from the store when Prometheus asks.

use super::Calls;
use crate::config::{ETCD_CLUSTER_VERSION, ETCD_VERSION};
use archipel_store::{
    Store,
    mvcc::{OpReply, TxnReply},
};
use prometheus::{Encoder, IntCounter, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// Bytes of a memory page on the machines that we build for.
const PAGE_BYTES: i64 = 4096;

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
    /// Watchers that exist now.
    pub watchers: IntGauge,
    scraped: Scraped,
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
    resident_memory: IntGauge,
}

impl Metrics {
    /// All metrics at their start.
    ///
    /// # Errors
    /// Two metrics have one name: a mistake in this folder.
    pub fn new(quota_bytes: u64) -> prometheus::Result<Metrics> {
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
            calls: Calls::register(&registry)?,
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
                resident_memory: gauge("process_resident_memory_bytes", "Resident memory in bytes.")?,
            },
            registry: registry.clone(),
        };
        // A site has one writer: it is always the leader, and the leader never changes.
        gauge("etcd_server_has_leader", "1: a site always has a leader, itself.")?.set(1);
        gauge("etcd_server_is_leader", "1: a site is its own leader.")?.set(1);
        gauge("etcd_server_proposals_pending", "Commits that wait for the disk.")?.set(0);
        gauge("etcd_server_quota_backend_bytes", "Quota in bytes.")?.set(i64::try_from(quota_bytes).unwrap_or(0));
        counter("etcd_server_leader_changes_seen_total", "0: the leader never changes.")?;
        counter("etcd_server_proposals_failed_total", "Commits that failed.")?;
        version(&registry, "etcd_server_version", "server_version", ETCD_VERSION)?;
        version(&registry, "etcd_cluster_version", "cluster_version", ETCD_CLUSTER_VERSION)?;
        Ok(metrics)
    }

    /// Everything in Prometheus' text format.
    ///
    /// # Errors
    /// A metric cannot be written.
    pub fn text(&self, store: &Store) -> prometheus::Result<Vec<u8>> {
        let size = store.size();
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let revision = store.revision();
        self.scraped.db_total.set(signed(size.total_bytes));
        self.scraped.db_in_use.set(signed(size.in_use_bytes));
        self.scraped.keys.set(signed(size.keys));
        self.scraped.current_revision.set(revision);
        self.scraped.compact_revision.set(store.compact_revision());
        self.scraped.committed.set(revision);
        self.scraped.applied.set(revision);
        self.scraped.resident_memory.set(resident_bytes().unwrap_or(0));
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    /// The registry, for metrics of other rooms.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// A gauge that is always 1 and carries a version in its label.
fn version(registry: &Registry, name: &str, label: &str, version: &str) -> prometheus::Result<()> {
    let gauge =
        IntGaugeVec::new(Opts::new(name, "Which version is running. 1 for the version in the label."), &[label])?;
    registry.register(Box::new(gauge.clone()))?;
    gauge.with_label_values(&[version]).set(1);
    Ok(())
}

/// Resident memory as Linux counts it.
fn resident_bytes() -> Option<i64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    statm.split_whitespace().nth(1)?.parse::<i64>().ok().map(|pages| pages * PAGE_BYTES)
}
