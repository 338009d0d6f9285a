//! The load generator: one thread, many connections, each with many calls in flight, every one in a closed loop.

mod cpu;
mod generator;
mod measurement;

pub(crate) use generator::{LoadError, Schedule, Target, run};
pub(crate) use measurement::Measurement;
