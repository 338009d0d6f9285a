//! etcd's gRPC interface over the store, in the order of a request: the server accepts, a service decodes, `validate`
//! refuses, `convert` translates, the store answers.

/// Messages and services, compiled from `proto/etcd/rpc.proto`.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
pub mod wire {
    tonic::include_proto!("etcdserverpb");
}

/// The same of `proto/etcd/lock.proto`.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
pub mod lock_wire {
    tonic::include_proto!("v3lockpb");
}

/// The same of `proto/etcd/election.proto`.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
pub mod election_wire {
    tonic::include_proto!("v3electionpb");
}

mod gateway;
mod routes;
pub mod server;
pub use routes::{Routers, routes};

mod context;
pub use context::{Context, Member, Shared};
pub mod alarm;
pub mod compactor;

pub mod auth;
mod caller;
mod cluster;
mod convert;
mod election;
mod kv;
mod lease;
mod lock;
mod maintenance;
mod range_stream;
mod validate;
mod watch;

pub mod status;
