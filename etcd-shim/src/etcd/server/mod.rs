//! Listeners, connections, and the threads that serve them.

mod listener;
pub use listener::{BindError, Listener, SocketOptions, Speaks};
mod requests;
pub use requests::OverTls;
mod connection;
mod pings;
mod workers;
pub use workers::Workers;
mod accept;
pub use accept::{Acceptor, accept};
mod access;
pub use access::controlled;
mod descriptors;
pub use descriptors::connections_max;
