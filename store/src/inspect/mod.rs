//! Looks at what is on the disk, and changes nothing: every frame of the log ([`verify()`]), every record in words
//! ([`dump()`]), and, while the site serves, the segments that are written no more (`scrub`).
//!
//! # Not here
//! No repair. What is damaged is told with the keys that need it and with what to do.

mod damage;
mod error;

mod directory;
mod scan;

mod index_copy;
mod log_walk;

mod compare;
mod content;
mod verify;

mod dump;
mod operation;
mod origin;

mod scrub;

pub use damage::{Damage, DamagedKey};
pub use dump::{DumpRange, Dumped, DumpedRecord, dump};
pub use error::InspectError;
pub use operation::Operation;
pub use origin::{EntryRange, Origin};
pub use scrub::ScrubStatus;
pub use verify::{IndexFinding, Verification, verify};

pub(crate) use scrub::Scrub;

#[cfg(test)]
mod tests;
