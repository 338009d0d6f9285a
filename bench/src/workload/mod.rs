//! What is asked of a server, one file a workload. Each request in flight belongs to one [`Client`], which decides its
//! requests by itself and checks every reply: a run with one wrong reply is void.

mod data;
mod get;
mod kubernetes_txn;
mod put;
mod request;

use data::{KEYS, Payload, Random};

/// A reply that is not what the workload must get.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a reply is wrong: {0}")]
pub(crate) struct WrongReply(pub(crate) &'static str);

/// One closed loop: a request, its reply, the next request.
pub(crate) trait Client {
    /// Appends the next request to `message`, which is empty, and returns the path of its method; `None` when this
    /// client has nothing more to ask.
    fn request(&mut self, message: &mut Vec<u8>) -> Option<&'static str>;

    /// Checks the reply to the last request.
    ///
    /// # Errors
    /// [`WrongReply`] makes the run void.
    fn reply(&mut self, message: &[u8]) -> Result<(), WrongReply>;
}

pub(crate) type Clients = Vec<Box<dyn Client>>;

/// The workloads, in the order of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    Put,
    KubernetesTxn,
    Get,
}

impl Workload {
    pub(crate) const ALL: [Workload; 3] = [Workload::Put, Workload::KubernetesTxn, Workload::Get];

    /// Its name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Workload::Put => "put",
            Workload::KubernetesTxn => "txn",
            Workload::Get => "get",
        }
    }

    /// What it is, for a reader of the table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Workload::Put => "put 256 B",
            Workload::KubernetesTxn => "Kubernetes create and update, 1 KiB",
            Workload::Get => "get 1 KiB",
        }
    }

    /// What must be in the store before; no clients when it starts empty.
    pub(crate) fn preparation(self, count: usize) -> Clients {
        match self {
            Workload::Put | Workload::KubernetesTxn => Vec::new(),
            Workload::Get => clients(count, put::filling),
        }
    }

    /// `count` clients that go on for ever.
    pub(crate) fn clients(self, count: usize) -> Clients {
        match self {
            Workload::Put => clients(count, put::endless),
            Workload::KubernetesTxn => clients(count, kubernetes_txn::endless),
            Workload::Get => clients(count, get::endless),
        }
    }
}

/// A client that asks once for a key that does not exist, to see whether a server answers.
pub(crate) fn probe() -> Clients {
    vec![get::probe()]
}

/// Makes client `index` of `count`, for each index.
fn clients(count: usize, make: impl Fn(u64, u64) -> Box<dyn Client>) -> Clients {
    let count = u64::try_from(count).expect("invariant: usize has at most 64 bits");
    (0..count).map(|index| make(index, count)).collect()
}
