//! The harness that judges the product: real processes, simulated disks, real control planes.

pub mod client;
pub mod site;

pub mod kubernetes;

pub mod upstream;
