//! Durability of the whole store, on a simulated disk: a random workload, a model of what it must show, and power cuts,
//! faults and damage at every place. Each judge here is shown to find a bug that is planted on purpose.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod random;

mod choices;

mod model;

mod judge;

mod site;

mod life;
mod workload;

mod crash;
mod faults;
mod flips;
mod phases;
mod planted;
