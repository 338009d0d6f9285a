//! The disk, as a seam: a real one, and a simulated one that forgets what was not synced.

mod api;
mod real;
mod simulated;
mod world;

pub use api::{DirLock, Disk, DiskFile, FileEntry};
pub use real::RealDisk;
pub use simulated::{Fault, FaultKind, Operation, SimulatedDisk};
