//! Two replies, field by field.

use super::{
    explained::{self, Explained},
    field::{Field, fields},
    reply::Reply,
    request::Request,
};
use crate::client::{
    kv,
    wire::{RangeRequest, RangeResponse, TxnRequest, TxnResponse, request_op, response_op},
};
use bytes::Bytes;
use prost::Message;
use std::{collections::BTreeMap, fmt};

/// Remaining times to live may differ by the time between the two calls, in seconds.
const TTL_APART_S: u64 = 30;
/// Up to this length Go's sort is an insertion sort, which keeps the order of equals.
const STABLE_SORT_MAX: i64 = 12;
/// The value of a field that one reply does not have.
pub(super) const ABSENT: &str = "(absent)";

/// One field that differs.
#[derive(Clone, PartialEq, Debug)]
pub struct Difference {
    /// The request's method.
    pub method: &'static str,
    /// The field, with indices.
    pub path: String,
    /// etcd's value.
    pub etcd: String,
    /// Ours.
    pub archipel: String,
    /// Why it may differ, if it may.
    pub reason: Option<&'static str>,
}

impl Difference {
    /// The path without indices: what makes two differences the same.
    #[must_use]
    pub fn place(&self) -> String {
        place(&self.path)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: etcd {}, archipel {}", self.method, self.path, self.etcd, self.archipel)
    }
}

/// Every field that differs.
#[must_use]
pub fn compare(request: &Request, mut etcd: Reply, mut archipel: Reply) -> Vec<Difference> {
    if etcd == archipel {
        return Vec::new();
    }
    reconcile(request, &mut etcd, &mut archipel);
    if etcd == archipel {
        return Vec::new();
    }
    let mut differences = differing(request, fields(&etcd), fields(&archipel));
    if differences.is_empty() {
        // Long values are shown in part.
        differences.push(Difference {
            method: request.method(),
            path: "reply".into(),
            etcd: format!("{etcd:?}"),
            archipel: format!("{archipel:?}"),
            reason: None,
        });
    }
    differences
}

fn differing(request: &Request, etcd: Vec<Field>, archipel: Vec<Field>) -> Vec<Difference> {
    let mut both: BTreeMap<String, (Option<String>, Option<String>)> = BTreeMap::new();
    for (path, value) in etcd {
        both.entry(path).or_default().0 = Some(value);
    }
    for (path, value) in archipel {
        both.entry(path).or_default().1 = Some(value);
    }
    let differing = both.into_iter().filter(|(_, (etcd, archipel))| etcd != archipel);
    let differences = differing.map(|(path, (etcd, archipel))| {
        let (etcd, archipel) = (etcd.unwrap_or_else(|| ABSENT.into()), archipel.unwrap_or_else(|| ABSENT.into()));
        let reason =
            explained::reason(request, &place(&path), &etcd, &archipel).map(|Explained { reason, .. }| *reason);
        Difference { method: request.method(), path, etcd, archipel, reason }
    });
    differences.collect()
}

fn place(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for letter in path.chars() {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => {}
            _ => out.push(letter),
        }
    }
    out
}

/// Makes equal what the protocol leaves open: remaining time, and the order of equals in a sorted list.
fn reconcile(request: &Request, etcd: &mut Reply, archipel: &mut Reply) {
    match (request, etcd, archipel) {
        (_, Reply::LeaseTimeToLive(etcd), Reply::LeaseTimeToLive(archipel))
            if etcd.ttl > 0 && archipel.ttl > 0 && etcd.ttl.abs_diff(archipel.ttl) <= TTL_APART_S =>
        {
            archipel.ttl = etcd.ttl;
        }
        (Request::Range(request), Reply::Range(etcd), Reply::Range(archipel)) => ties(request, etcd, archipel),
        (Request::Txn(request), Reply::Txn(etcd), Reply::Txn(archipel)) => txn_ties(request, etcd, archipel),
        (Request::Raw { body, .. }, Reply::Range(etcd), Reply::Range(archipel)) => {
            if let Ok(request) = RangeRequest::decode(body.clone()) {
                ties(&request, etcd, archipel);
            }
        }
        (Request::Raw { body, .. }, Reply::Txn(etcd), Reply::Txn(archipel)) => {
            if let Ok(request) = TxnRequest::decode(body.clone()) {
                txn_ties(&request, etcd, archipel);
            }
        }
        _ => {}
    }
}

fn txn_ties(request: &TxnRequest, etcd: &mut TxnResponse, archipel: &mut TxnResponse) {
    let ops = if etcd.succeeded { &request.success } else { &request.failure };
    for ((op, etcd), archipel) in ops.iter().zip(&mut etcd.responses).zip(&mut archipel.responses) {
        match (&op.request, &mut etcd.response, &mut archipel.response) {
            (
                Some(request_op::Request::RequestRange(request)),
                Some(response_op::Response::ResponseRange(etcd)),
                Some(response_op::Response::ResponseRange(archipel)),
            ) => ties(request, etcd, archipel),
            (
                Some(request_op::Request::RequestTxn(request)),
                Some(response_op::Response::ResponseTxn(etcd)),
                Some(response_op::Response::ResponseTxn(archipel)),
            ) => txn_ties(request, etcd, archipel),
            _ => {}
        }
    }
}

/// Brings equals into the order of their keys; what a limit cuts off among equals is left out of both.
fn ties(request: &RangeRequest, etcd: &mut RangeResponse, archipel: &mut RangeResponse) {
    if request.sort_target == 0 || etcd.count <= STABLE_SORT_MAX {
        return;
    }
    for reply in [etcd, archipel] {
        let by = |bytes: &Bytes| {
            let version = kv(bytes);
            let value = if request.keys_only { Bytes::new() } else { version.value };
            match request.sort_target {
                1 => (version.version, Bytes::new()),
                2 => (version.create_revision, Bytes::new()),
                3 => (version.mod_revision, Bytes::new()),
                _ => (0, value),
            }
        };
        if reply.more
            && let Some(last) = reply.kvs.last().map(by)
        {
            reply.kvs.retain(|bytes| by(bytes) != last);
        }
        // Stable over the groups, which the server ordered; only within a group does the key decide.
        let mut groups: Vec<Vec<Bytes>> = Vec::new();
        for bytes in reply.kvs.drain(..) {
            match groups.last_mut() {
                Some(group) if group.first().map(by) == Some(by(&bytes)) => group.push(bytes),
                _ => groups.push(vec![bytes]),
            }
        }
        groups.iter_mut().for_each(|group| group.sort_by_cached_key(|bytes| kv(bytes).key));
        reply.kvs = groups.concat();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::wire::{PutResponse, ResponseHeader};

    #[test]
    fn places_have_no_indices() {
        assert_eq!(place("responses[3].range.kvs[12].lease"), "responses.range.kvs.lease");
    }

    #[test]
    fn a_field_that_differs_is_named_with_both_values() {
        let reply = |revision| {
            Reply::Put(PutResponse {
                header: Some(ResponseHeader { revision, ..ResponseHeader::default() }),
                prev_kv: None,
            })
        };
        let request = Request::Put(crate::client::wire::PutRequest::default());
        assert_eq!(compare(&request, reply(4), reply(4)), []);
        let differences = compare(&request, reply(4), reply(5));
        let [only] = differences.as_slice() else { panic!("one field differs: {differences:?}") };
        assert_eq!(only.to_string(), "Put header.revision: etcd 4, archipel 5");
        assert_eq!(only.reason, None);
    }
}
