//! The link's decisions: a pure state machine a session. `session` (one level up) runs it.

mod event;
mod frame;
mod session;
mod stream;

#[cfg(test)]
mod tests;

pub use event::{Close, Command, Event, Fault, Now};
pub use frame::{Frame, Hello, Outgoing};
pub use session::{Counters, NOT_SHARED, Session, ShareLink};
pub use stream::{Inbound, Intake, Outbound, Progress, SET_BACK, TRIMMED};
