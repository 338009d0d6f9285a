//! etcd's multi-version semantics over a tree: pure evaluation of requests.

mod request;

pub use request::*;
