//! The differential run: one seeded stream of requests goes to a real etcd and to Archipel, and every reply is compared
//! field by field. What may differ is listed in `explained`, with the reason; anything else fails, and is shrunk to the
//! fewest requests that still show it.
//!
//! Each server is asked by a thread of its own and in the order of the stream; revisions depend on nothing else. Requests
//! mean revisions relative to the current or the compacted one (`relative`), so a shortened stream still means the same.

mod random;
pub use random::Random;
mod request;
pub use request::{Request, Step, WatchAction};
mod generate;
mod relative;
pub use generate::Generator;

mod server;
pub use server::{Server, ServerKind};

mod reply;
pub use reply::Reply;
mod call;
mod raw;
mod runner;
mod watch;

mod compare;
mod field;
pub use compare::{Difference, compare};
mod explained;

mod run;
pub use run::{Outcome, Pair, Plant, Settings, run};
mod shrink;
pub use shrink::shrink;
