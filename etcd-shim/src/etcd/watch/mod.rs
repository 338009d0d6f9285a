//! The Watch service (etcd: server/etcdserver/api/v3rpc/watch.go).

mod service;
pub(crate) use service::WatchService;
mod fragment;
mod session;
mod watched;
