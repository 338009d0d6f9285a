//! Transactions: every target, operator and operation, nested, and wrong in every way that etcd refuses.

use super::{
    super::{random::Random, relative::CURRENT},
    keys, kv, lease,
};
use crate::client::wire::{Compare, PutRequest, RequestOp, TxnRequest, compare::TargetUnion, request_op::Request};

/// Deepest nesting.
const DEPTH_MAX: usize = 3;
/// etcd's default limit of operations.
const OPS_MAX: i64 = 128;

/// A transaction.
pub(super) fn txn(random: &mut Random) -> TxnRequest {
    match random.weighted(&[30, 60, 9, 1]) {
        0 => optimistic(random),
        1 => survivable(any(random, 0)),
        2 => read_only(random),
        _ => crowded(random),
    }
}

/// What kube-apiserver sends: create or update if the revision is right, else read.
fn optimistic(random: &mut Random) -> TxnRequest {
    let key = keys::key(random);
    let revision = if random.percent(40) { 0 } else { CURRENT - random.between(0, 30) };
    let compare = Compare {
        target: 2,
        key: key.clone(),
        target_union: Some(TargetUnion::ModRevision(revision)),
        ..Compare::default()
    };
    let write = if random.percent(75) {
        Request::RequestPut(PutRequest { key: key.clone(), value: keys::value(random), ..PutRequest::default() })
    } else {
        Request::RequestDeleteRange(crate::client::wire::DeleteRangeRequest {
            key: key.clone(),
            prev_kv: random.percent(30),
            ..crate::client::wire::DeleteRangeRequest::default()
        })
    };
    let read = Request::RequestRange(crate::client::wire::RangeRequest {
        key,
        limit: 1,
        ..crate::client::wire::RangeRequest::default()
    });
    let op = |request| RequestOp { request: Some(request) };
    TxnRequest { compare: vec![compare], success: vec![op(write)], failure: vec![op(read)] }
}

fn any(random: &mut Random, depth: usize) -> TxnRequest {
    let (compares, then, otherwise) = (random.below(4), random.below(5), random.below(4));
    TxnRequest {
        compare: (0..compares).map(|_| compare(random)).collect(),
        success: (0..then).map(|_| op(random, depth)).collect(),
        failure: (0..otherwise).map(|_| op(random, depth)).collect(),
    }
}

/// Without what ends etcd: a put that keeps the value or lease of a key which an earlier delete "from this key on" has
/// removed gets past the checks there, and stops the process (server/etcdserver/txn/put.go).
fn survivable(mut txn: TxnRequest) -> TxnRequest {
    if deletes_from_key_on(&txn) {
        keep_nothing(&mut txn);
    }
    txn
}

fn deletes_from_key_on(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).any(|op| match &op.request {
        Some(Request::RequestDeleteRange(delete)) => delete.range_end.as_ref() == [0],
        Some(Request::RequestTxn(nested)) => deletes_from_key_on(nested),
        _ => false,
    })
}

fn keep_nothing(txn: &mut TxnRequest) {
    for op in txn.success.iter_mut().chain(&mut txn.failure) {
        match &mut op.request {
            Some(Request::RequestPut(put)) => (put.ignore_value, put.ignore_lease) = (false, false),
            Some(Request::RequestTxn(nested)) => keep_nothing(nested),
            _ => {}
        }
    }
}

fn read_only(random: &mut Random) -> TxnRequest {
    let ranges = |random: &mut Random| -> Vec<RequestOp> {
        let count = random.below(4);
        (0..count).map(|_| RequestOp { request: Some(Request::RequestRange(kv::range(random))) }).collect()
    };
    let (success, failure) = (ranges(random), ranges(random));
    let compares = random.below(3);
    TxnRequest { compare: (0..compares).map(|_| compare(random)).collect(), success, failure }
}

/// Around the limit of operations, alone or together with a nested transaction's.
fn crowded(random: &mut Random) -> TxnRequest {
    let count = random.between(OPS_MAX - 3, OPS_MAX + 2);
    let nested = random.percent(50).then(|| {
        let count = random.between(0, 4);
        let inner = TxnRequest { success: numbered_puts(count, 1000), ..TxnRequest::default() };
        RequestOp { request: Some(Request::RequestTxn(inner)) }
    });
    let mut ops = numbered_puts(count, 0);
    ops.extend(nested);
    match random.below(3) {
        0 => TxnRequest { success: ops, ..TxnRequest::default() },
        1 => TxnRequest { failure: ops, ..TxnRequest::default() },
        _ => TxnRequest { compare: (0..count).map(|_| compare(random)).collect(), ..TxnRequest::default() },
    }
}

fn numbered_puts(count: i64, first: i64) -> Vec<RequestOp> {
    let put =
        |number: i64| PutRequest { key: format!("many/{number}").into(), value: "v".into(), ..PutRequest::default() };
    (first..first + count).map(|number| RequestOp { request: Some(Request::RequestPut(put(number))) }).collect()
}

fn op(random: &mut Random, depth: usize) -> RequestOp {
    let nested = if depth < DEPTH_MAX { 15 } else { 0 };
    let request = match random.weighted(&[30, 35, 20, nested, 1]) {
        0 => Request::RequestRange(kv::range(random)),
        1 => Request::RequestPut(kv::put(random)),
        2 => Request::RequestDeleteRange(kv::delete_range(random)),
        3 => Request::RequestTxn(any(random, depth + 1)),
        _ => return RequestOp { request: None },
    };
    RequestOp { request: Some(request) }
}

fn compare(random: &mut Random) -> Compare {
    let (key, range_end) = keys::interval(random);
    let range_end = if random.percent(70) { bytes::Bytes::new() } else { range_end };
    let target = if random.once_in(200) { 9 } else { random.between(0, 5) as i32 };
    let union = match if random.percent(95) { target } else { random.between(0, 5) as i32 } {
        0 => TargetUnion::Version(random.between(0, 4)),
        1 => TargetUnion::CreateRevision(revision(random)),
        2 => TargetUnion::ModRevision(revision(random)),
        3 => TargetUnion::Value(keys::value(random)),
        _ => TargetUnion::Lease(if random.percent(50) { 0 } else { lease::id(random) }),
    };
    Compare {
        result: if random.once_in(200) { 7 } else { random.between(0, 4) as i32 },
        target,
        key,
        range_end,
        target_union: (!random.once_in(30)).then_some(union),
    }
}

fn revision(random: &mut Random) -> i64 {
    if random.percent(30) { 0 } else { CURRENT - random.between(0, 40) }
}
