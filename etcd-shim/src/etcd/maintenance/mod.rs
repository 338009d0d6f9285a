//! The Maintenance service (etcd: server/etcdserver/api/v3rpc/maintenance.go).

mod service;
pub(crate) use service::MaintenanceService;
mod downgrade;
mod hash;
