//! etcd's gRPC interface over the store.

/// Messages and services, compiled from `proto/etcd/rpc.proto`.
#[allow(missing_docs, missing_debug_implementations, unreachable_pub, clippy::all)]
pub mod wire {
    tonic::include_proto!("etcdserverpb");
}
