//! The index: what of the log is where. Kept in the background, checked when it is opened, and never believed against
//! the log: whatever is wrong with it, it is rebuilt.

mod row;

mod backend;
mod memory;
mod sled_index;

pub use backend::{Backend, IndexError, IndexState};
pub use memory::MemoryIndex;
pub use row::{IndexWrite, Marker, Row, TableRow, VersionRow};
pub use sled_index::SledIndex;
