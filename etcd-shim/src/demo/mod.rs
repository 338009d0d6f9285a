//! `archipel demo`: two sites on this machine, each with a real control plane, and the story of a shared namespace.

pub mod kubernetes;
pub mod proxy;
