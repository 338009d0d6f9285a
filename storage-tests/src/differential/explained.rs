//! The differences that may be, each with its reason. A row matches one method, one field and given values; everything else
//! that differs is a fault.

use super::{compare::ABSENT, request::Request};

/// One difference that may be.
#[derive(Debug)]
pub(super) struct Explained {
    /// Method of the request.
    method: &'static str,
    /// Which requests of that method.
    when: fn(&Request) -> bool,
    /// The field, without indices.
    place: &'static str,
    etcd: Value,
    archipel: Value,
    /// Why it may differ.
    pub(super) reason: &'static str,
}

impl Explained {
    /// Archipel refuses what etcd answers.
    fn is_refusal(&self) -> bool {
        [NESTED, MISTYPED, HASH_OF_COMPACTION].contains(&self.reason)
    }
}

/// Which values a row matches.
#[derive(Debug)]
enum Value {
    Any,
    Starts(&'static str),
    Is(&'static str),
}

impl Value {
    fn matches(&self, value: &str) -> bool {
        match self {
            Value::Any => true,
            Value::Starts(start) => value.starts_with(start),
            Value::Is(whole) => value == *whole,
        }
    }
}

const NO_MESSAGE: &str = "bytes that are no message: the code is the same, the text is the protobuf library's";
const NO_METHOD: &str = "an unknown method: the code is the same, the text is the gRPC library's";
const NESTED: &str =
    "transactions nested deeper than 49: the protobuf library stops at 100 messages in each other, etcd's at 10,000";
const MISTYPED: &str =
    "a known field with another wire type than its own: etcd's protobuf library takes it for an unknown one";
const HASH_OF_COMPACTION: &str = "etcd keeps the hashes of the last ten compactions, and answers with them at those revisions, \
     also below a later one";
const HASH_AT_ZERO: &str =
    "a compaction at revision 0 leaves a hash under 0, which etcd then gives to who asks for the newest revision";
const NEGATIVE_LIMIT: &str =
    "a negative limit means none; etcd then sends all in one chunk, which Archipel bounds as always";

const EXPLAINED: &[Explained] = &[
    Explained {
        method: "Raw",
        when: always,
        place: "error.text",
        etcd: Value::Starts("grpc: error unmarshalling request: "),
        archipel: Value::Starts("failed to decode Protobuf message: "),
        reason: NO_MESSAGE,
    },
    Explained {
        method: "Raw",
        when: always,
        place: "error.text",
        etcd: Value::Starts("unknown method "),
        archipel: Value::Any,
        reason: NO_METHOD,
    },
    Explained {
        method: "Raw",
        when: always,
        place: "error.text",
        etcd: Value::Starts("unknown service "),
        archipel: Value::Any,
        reason: NO_METHOD,
    },
    Explained {
        method: "Raw",
        when: always,
        place: "error.text",
        etcd: Value::Starts("malformed method name: "),
        archipel: Value::Any,
        reason: NO_METHOD,
    },
    Explained {
        method: "Raw",
        when: deeply_nested,
        place: "error.code",
        etcd: Value::Any,
        archipel: Value::Is("Internal"),
        reason: NESTED,
    },
    Explained {
        method: "Raw",
        when: deeply_nested,
        place: "error.text",
        etcd: Value::Any,
        archipel: Value::Starts("failed to decode Protobuf message: "),
        reason: NESTED,
    },
    Explained {
        method: "Raw",
        when: reads,
        place: "error.code",
        etcd: Value::Any,
        archipel: Value::Is("Internal"),
        reason: MISTYPED,
    },
    Explained {
        method: "Raw",
        when: reads,
        place: "error.text",
        etcd: Value::Any,
        archipel: Value::Starts("failed to decode Protobuf message: "),
        reason: MISTYPED,
    },
    Explained {
        method: "HashKV",
        when: at_a_revision,
        place: "compact_revision",
        etcd: Value::Any,
        archipel: Value::Any,
        reason: HASH_OF_COMPACTION,
    },
    Explained {
        method: "HashKV",
        when: at_a_revision,
        place: "error.code",
        etcd: Value::Is(ABSENT),
        archipel: Value::Is("OutOfRange"),
        reason: HASH_OF_COMPACTION,
    },
    Explained {
        method: "HashKV",
        when: at_a_revision,
        place: "error.text",
        etcd: Value::Is(ABSENT),
        archipel: Value::Is("etcdserver: mvcc: required revision has been compacted"),
        reason: HASH_OF_COMPACTION,
    },
    Explained {
        method: "HashKV",
        when: at_the_newest,
        place: "compact_revision",
        etcd: Value::Is("-1"),
        archipel: Value::Any,
        reason: HASH_AT_ZERO,
    },
    Explained {
        method: "HashKV",
        when: at_the_newest,
        place: "hash_revision",
        etcd: Value::Is("0"),
        archipel: Value::Any,
        reason: HASH_AT_ZERO,
    },
    Explained {
        method: "RangeStream",
        when: negative_limit,
        place: "chunk_keys",
        etcd: Value::Any,
        archipel: Value::Any,
        reason: NEGATIVE_LIMIT,
    },
];

fn always(_: &Request) -> bool {
    true
}

fn reads(request: &Request) -> bool {
    matches!(request, Request::Raw { path, .. } if path.ends_with("/Range"))
}

fn at_a_revision(request: &Request) -> bool {
    matches!(request, Request::HashKv(revision) if *revision != 0)
}

fn at_the_newest(request: &Request) -> bool {
    matches!(request, Request::HashKv(0))
}

fn negative_limit(request: &Request) -> bool {
    matches!(request, Request::RangeStream(range) if range.limit < 0)
}

/// Transactions in each other, so deep that the protobuf library stops.
fn deeply_nested(request: &Request) -> bool {
    const DEPTH: usize = 49;
    let Request::Raw { body, .. } = request else { return false };
    // Each level is TxnRequest.success, then RequestOp.request_txn, with a length of one or two bytes.
    let tags = body.iter().filter(|byte| **byte == 0x12 || **byte == 0x22).count();
    body.first() == Some(&0x12) && tags > 2 * DEPTH
}

/// The row that explains a difference, if one does. A reply that is an error at one server only differs in every field of
/// the other's; those are explained with the error.
pub(super) fn reason(request: &Request, place: &str, etcd: &str, archipel: &str) -> Option<&'static Explained> {
    EXPLAINED.iter().find(|row| {
        let same_place = row.place == place || (row.is_refusal() && archipel == ABSENT);
        row.method == request.method()
            && same_place
            && (row.when)(request)
            && (row.place != place || (row.etcd.matches(etcd) && row.archipel.matches(archipel)))
    })
}
