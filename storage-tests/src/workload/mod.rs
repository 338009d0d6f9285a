//! Clients that write down what they do: concurrent traffic on few keys, watches of all kinds, compactions, leases, and a
//! process that is killed and paused meanwhile.

mod recorder;
pub use recorder::Recorder;
mod call;
mod traffic;
pub use traffic::Mix;
mod drive;
mod watching;
pub use drive::{Fault, LOAD_MIN_S, Plan, drive, tally};
