//! Every call of the etcd interface on the real process, and every refusal that these calls can give, by code and text.
//!
//! What could go wrong: a reply that clients read differently from etcd's. The promise: fields, headers, orders and error
//! texts are etcd's (etcd 3.7: api/v3rpc/rpctypes/error.go, server/etcdserver/api/v3rpc).

// A step that cannot be done fails the test.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "etcd_api/auth.rs"]
mod auth;
#[path = "etcd_api/auth_matrix.rs"]
mod auth_matrix;
#[path = "etcd_api/cluster.rs"]
mod cluster;
#[path = "etcd_api/etcdctl.rs"]
mod etcdctl;
#[path = "etcd_api/gateway.rs"]
mod gateway;
#[path = "etcd_api/http.rs"]
mod http;
#[path = "etcd_api/inspect.rs"]
mod inspect;
#[path = "etcd_api/kv.rs"]
mod kv;
#[path = "etcd_api/lease.rs"]
mod lease;
#[path = "etcd_api/lock.rs"]
mod lock;
#[path = "etcd_api/maintenance.rs"]
mod maintenance;
#[path = "etcd_api/process.rs"]
mod process;
#[path = "etcd_api/refusals.rs"]
mod refusals;
#[path = "etcd_api/tls.rs"]
mod tls;
#[path = "etcd_api/txn.rs"]
mod txn;
#[path = "etcd_api/watch.rs"]
mod watch;

use archipel_storage_tests::{client::Client, site::Site};
use std::path::Path;

/// A program that is judged in our place, for example a real etcd: what a test says of etcd can be checked on it.
const OTHER_SERVER: &str = "ETCD_API_SERVER";

async fn site_with(flags: &[&str]) -> (Site, Client) {
    let site = start(flags);
    let client = Client::connect(site.url()).await.unwrap();
    (site, client)
}

fn start(flags: &[&str]) -> Site {
    match std::env::var_os(OTHER_SERVER) {
        Some(program) => {
            let peers = ["--listen-peer-urls=http://127.0.0.1:0", "--advertise-client-urls=http://127.0.0.1:1"];
            Site::start(Path::new(&program), &[flags, &peers].concat()).unwrap()
        }
        None => Site::start(Path::new(env!("CARGO_BIN_EXE_archipel-under-test")), flags).unwrap(),
    }
}

/// Is the program under test another one than ours?
fn is_foreign() -> bool {
    std::env::var_os(OTHER_SERVER).is_some()
}

async fn site() -> (Site, Client) {
    site_with(&[]).await
}
