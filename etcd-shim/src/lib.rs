//! The process: etcd's API, links between sites, the admin API, the command line.

pub mod demo;
pub mod link;
