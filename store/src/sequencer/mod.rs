//! The only writer: evaluates under its lock, appends to the log, publishes what is durable.

mod commit;
mod emit;
mod ticket;

pub use commit::Commit;
pub use emit::{Change, Emit};
pub use ticket::Ticket;
