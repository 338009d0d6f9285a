//! Prometheus metrics, with the names that dashboards and alerts for etcd query. Names and labels are a contract: a test
//! holds them. Metrics of etcd's peers are absent, as with an etcd of one member: other sites are not members, and a cut
//! link is no dead member.

mod registry;
pub use registry::{HealthCounters, Identity, LeaseCounters, Metrics, MetricsSettings, MvccCounters, NetworkCounters};
mod calls;
pub use calls::{Call, Calls, Method};
mod clients;
pub use clients::ClientRequests;
mod disk;
pub use disk::DiskMetrics;
mod process;
mod storage;
