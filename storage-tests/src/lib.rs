//! The harness that judges the product: real processes, simulated disks, real control planes.

pub mod client;
pub mod site;

pub mod differential;

pub mod checkers;
pub mod history;
pub mod workload;

pub mod kubernetes;

pub mod upstream;
