//! The API as JSON at /v3/ (etcd: server/embed/serve.go, registerGateway). One handler serves every path: a table says
//! which method a path is, descriptors say what its messages look like, and the call goes to the same router that
//! serves gRPC, so that nothing is decided here.

mod handler;
mod paths;
pub(super) use handler::routes;
mod call;
mod frames;
mod transcode;
pub(super) use transcode::DESCRIPTORS;
