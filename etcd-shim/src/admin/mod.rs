//! The admin API: health, metrics and versions over HTTP; peers, shares and status over gRPC.

pub mod grpc;
pub mod http;
