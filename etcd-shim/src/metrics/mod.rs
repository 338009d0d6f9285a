//! Prometheus metrics, with the names that dashboards and alerts for etcd query. Names and labels are a contract: a test
//! holds them. Metrics of etcd's peers stay at zero: other sites are not members, and a cut link is no dead member.

mod registry;
pub use registry::{LeaseCounters, Metrics, MvccCounters, NetworkCounters};
mod calls;
pub use calls::{Call, Calls, Method};
