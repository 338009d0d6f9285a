//! HTTP on the client port and on the metrics addresses: health, versions, metrics, with etcd's paths and answers.

mod health;
mod routes;
pub use routes::{client_routes, metrics_routes};
