//! The index: what of the log is where. Kept in the background, checked when it is opened, and never believed against
//! the log: whatever is wrong with it, it is rebuilt.

mod bytes;

mod block;
mod row;

mod backend;
mod home;
mod memory;
mod sled_index;

pub use backend::{Backend, IndexError, IndexState};
pub use block::{Block, VersionRow};
pub use memory::MemoryIndex;
pub use row::{BlockId, IndexWrite, Marker, Row, TableRow};
pub use sled_index::SledIndex;

pub(crate) use row::hash_row;
