//! The differences that may be, each with its reason. A row matches one method, one field and given values; everything else
//! that differs is a fault.

use super::request::Request;

/// One difference that may be.
#[derive(Debug)]
pub(super) struct Explained {
    /// Method of the request.
    method: &'static str,
    /// The field, without indices.
    place: &'static str,
    etcd: Value,
    archipel: Value,
    /// Why it may differ.
    pub(super) reason: &'static str,
}

/// Which values a row matches.
#[derive(Debug)]
enum Value {
    Starts(&'static str),
}

impl Value {
    fn matches(&self, value: &str) -> bool {
        match self {
            Value::Starts(start) => value.starts_with(start),
        }
    }
}

const EXPLAINED: &[Explained] = &[Explained {
    method: "Raw",
    place: "error.text",
    etcd: Value::Starts("grpc: error unmarshalling request: "),
    archipel: Value::Starts("failed to decode Protobuf message: "),
    reason: "bytes that are no message: the code is the same, the text is the protobuf library's",
}];

/// The row that explains a difference, if one does.
pub(super) fn reason(request: &Request, place: &str, etcd: &str, archipel: &str) -> Option<&'static Explained> {
    EXPLAINED.iter().find(|row| {
        row.method == request.method() && row.place == place && row.etcd.matches(etcd) && row.archipel.matches(archipel)
    })
}
