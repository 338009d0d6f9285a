//! Listeners, connections, and the threads that serve them.

mod listener;
pub use listener::{BindError, Listener};
mod connection;
mod workers;
pub use workers::Workers;
mod accept;
pub use accept::{Acceptor, accept};
