//! The disk, as a seam: a real one, and a simulated one that forgets what was not synced.

mod api;
mod read_only;
mod real;
mod simulated;
mod world;

pub use api::{DirLock, Disk, DiskFile, FileEntry};
pub use read_only::ReadOnlyDisk;
pub use real::RealDisk;
pub use simulated::{Fault, FaultKind, Operation, SimulatedDisk};
