//! Every call of the etcd interface on the real process, and every refusal that these calls can give, by code and text.
//!
//! What could go wrong: a reply that clients read differently from etcd's. The promise: fields, headers, orders and error
//! texts are etcd's (etcd 3.7: api/v3rpc/rpctypes/error.go, server/etcdserver/api/v3rpc).

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "etcd_api/http.rs"]
mod http;
#[path = "etcd_api/kv.rs"]
mod kv;
#[path = "etcd_api/lease.rs"]
mod lease;
#[path = "etcd_api/maintenance.rs"]
mod maintenance;
#[path = "etcd_api/refusals.rs"]
mod refusals;
#[path = "etcd_api/txn.rs"]
mod txn;
#[path = "etcd_api/watch.rs"]
mod watch;

use archipel_storage_tests::{client::Client, site::Site};
use std::path::Path;

async fn site_with(flags: &[&str]) -> (Site, Client) {
    let site = Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), flags).unwrap();
    let client = Client::connect(site.url()).await.unwrap();
    (site, client)
}

async fn site() -> (Site, Client) {
    site_with(&[]).await
}
