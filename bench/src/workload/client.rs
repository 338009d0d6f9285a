//! One closed loop: a request, its reply, the next request.

use crate::wire::Method;

/// A reply that is not what the workload must get.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a reply is wrong: {0}")]
pub(crate) struct WrongReply(pub(crate) &'static str);

/// What a reply is worth, in units of the workload: requests, keys, events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The request is answered. Its time counts if it is worth anything.
    Done(u64),
    /// A part of a reply that goes on.
    Part(u64),
    /// The server sent this by itself; its latency, in nanoseconds, was found in it.
    Pushed { units: u64, latency_ns: u64 },
}

/// One request in flight belongs to one client, which decides its requests by itself and checks every reply: a run with
/// one wrong reply is void.
pub(crate) trait Client {
    /// Appends the next request to `message`, which is empty, and returns its method; `None` when this client has
    /// nothing more to ask.
    fn request(&mut self, message: &mut Vec<u8>) -> Option<Method>;

    /// Checks a message of the server.
    ///
    /// # Errors
    /// [`WrongReply`] makes the run void.
    fn reply(&mut self, message: &[u8]) -> Result<Answer, WrongReply>;

    /// Checks that a call that streamed may end now.
    ///
    /// # Errors
    /// [`WrongReply`] makes the run void.
    fn end(&mut self) -> Result<(), WrongReply> {
        Err(WrongReply("the server ended a call that nobody ends"))
    }
}

/// Clients that share connections and, if they have one, a pace.
pub(crate) struct Group {
    pub(crate) clients: Vec<Box<dyn Client>>,
    /// At most; clients are dealt out evenly.
    pub(crate) connections: usize,
    /// Requests a second of the whole group. Without it, each client asks again as soon as it is answered.
    pub(crate) rate: Option<f64>,
}

impl Group {
    /// Clients as fast as the server answers.
    pub(crate) fn closed_loop(clients: Vec<Box<dyn Client>>, connections: usize) -> Group {
        Group { clients, connections, rate: None }
    }
}

/// Makes client `index` of `count`, for each index.
pub(super) fn clients(count: usize, make: impl Fn(u64, u64) -> Box<dyn Client>) -> Vec<Box<dyn Client>> {
    let count = u64::try_from(count).expect("invariant: usize has at most 64 bits");
    (0..count).map(|index| make(index, count)).collect()
}
