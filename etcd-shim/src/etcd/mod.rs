//! etcd's gRPC interface over the store, in the order of a request: the server accepts, a service decodes, `validate`
//! refuses, `convert` translates, the store answers.

/// Messages and services, compiled from `proto/etcd/rpc.proto`.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
pub mod wire {
    tonic::include_proto!("etcdserverpb");
}

pub mod server;
mod routes;
pub use routes::routes;

mod context;
pub use context::{Context, Member, Shared};
pub mod alarm;

mod kv;
mod range_stream;
mod validate;
mod convert;
mod watch;
mod lease;
mod maintenance;
mod cluster;
mod auth;

pub mod status;
