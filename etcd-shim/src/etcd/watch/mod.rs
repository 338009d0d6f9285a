//! The Watch service (etcd: server/etcdserver/api/v3rpc/watch.go).

mod service;
pub use service::WatchService;
mod session;
mod watched;
mod fragment;
