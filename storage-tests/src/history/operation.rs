//! Operations of clients.

/// A version as a client sees it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
#[allow(missing_docs)]
pub struct Kv {
    pub key: String,
    pub value: String,
    pub create_revision: i64,
    pub mod_revision: i64,
    pub version: i64,
    pub lease: i64,
}

/// One change inside a write. Values are unique over a run, so a change tells which operation made it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum WriteOp {
    Put { key: String, value: String, lease: i64 },
    Delete { key: String },
}

impl WriteOp {
    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            WriteOp::Put { key, .. } | WriteOp::Delete { key } => key,
        }
    }
}

/// A write: operations of one transaction, if the guard holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Write {
    /// The key's mod revision must be this one.
    pub guard: Option<(String, i64)>,
    /// All or none of them, in one revision.
    pub ops: Vec<WriteOp>,
}

/// A read of an interval.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Read {
    /// First key.
    pub key: String,
    /// Exclusive end; empty = the single key.
    pub end: String,
    /// Revision to read at; 0 = the current one.
    pub revision: i64,
    /// Most keys; 0 = all.
    pub limit: usize,
}

impl Read {
    /// Is the key inside?
    #[must_use]
    pub fn covers(&self, key: &str) -> bool {
        if self.end.is_empty() { key == self.key } else { key >= self.key.as_str() && key < self.end.as_str() }
    }
}

/// What was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Request {
    Write(Write),
    Read(Read),
    Compact(i64),
    Grant { lease: i64, ttl_s: i64 },
    Revoke(i64),
}

/// What was answered.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Outcome {
    /// `succeeded` is false if the guard did not hold; `previous` holds the former version of each operation's key.
    Written {
        revision: i64,
        succeeded: bool,
        previous: Vec<Option<Kv>>,
    },
    Found {
        revision: i64,
        kvs: Vec<Kv>,
        count: i64,
        more: bool,
    },
    Done {
        revision: i64,
    },
    /// Refused with etcd's text: it had no effect.
    Refused(String),
    /// No answer: it may have happened, or may still happen.
    Unknown,
}

/// One operation. Times are nanoseconds since the start of the run, on one monotonic clock.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub struct Operation {
    pub client: usize,
    pub called_ns: u64,
    /// For an unknown outcome: when the client gave up.
    pub returned_ns: u64,
    pub request: Request,
    pub outcome: Outcome,
}

impl Operation {
    /// The revision that the answer carries.
    #[must_use]
    pub fn revision(&self) -> Option<i64> {
        match &self.outcome {
            Outcome::Written { revision, .. } | Outcome::Found { revision, .. } | Outcome::Done { revision } => {
                Some(*revision)
            }
            Outcome::Refused(_) | Outcome::Unknown => None,
        }
    }

    /// What it says it changed: an acknowledged write whose guard held, and that changed something.
    #[must_use]
    pub fn acknowledged(&self) -> Option<(i64, Vec<&WriteOp>)> {
        let (Request::Write(write), Outcome::Written { revision, succeeded: true, previous }) =
            (&self.request, &self.outcome)
        else {
            return None;
        };
        // A delete of a key that was not there changes nothing.
        let effective = write.ops.iter().zip(previous).filter(|(op, before)| match op {
            WriteOp::Put { .. } => true,
            WriteOp::Delete { .. } => before.is_some(),
        });
        let ops: Vec<_> = effective.map(|(op, _)| op).collect();
        (!ops.is_empty()).then_some((*revision, ops))
    }
}
