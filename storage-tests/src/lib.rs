//! The harness that judges the product: real processes, simulated disks, real control planes.

pub mod kubernetes;
