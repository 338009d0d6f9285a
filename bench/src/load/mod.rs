//! The load generator: one thread, many connections, each with many calls in flight, every one in a closed loop.

mod generator;
mod lane;
mod measurement;
mod pace;
mod usage;

pub(crate) use generator::{LoadError, Schedule, Target, run};
pub(crate) use measurement::Measurement;
pub(crate) use usage::memory_mib;
