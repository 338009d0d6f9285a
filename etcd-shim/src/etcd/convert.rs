//! Wire messages to the store's requests, and the store's replies to wire messages. Explicit functions, no decisions.
//! Predecessor on the write path: `validate`; successor: the store.

use super::wire::{
    self, ResponseHeader, compare::TargetUnion, range_request, request_op::Request, response_op::Response,
};
use archipel_store::{
    mvcc::{
        Compare, CompareResult, CompareTarget, DeleteRangeReply, DeleteRangeRequest, Op, OpReply, PutReply, PutRequest,
        RangeReply, RangeRequest, SortOrder, SortTarget, TxnReply, TxnRequest,
    },
    watch::{WatchEvent, WatchEventKind},
};
use bytes::Bytes;

/// A checked Range.
#[must_use]
pub(crate) fn range(request: wire::RangeRequest) -> RangeRequest {
    let sort_order = match request.sort_order() {
        range_request::SortOrder::None => SortOrder::None,
        range_request::SortOrder::Ascend => SortOrder::Ascend,
        range_request::SortOrder::Descend => SortOrder::Descend,
    };
    let sort_target = match request.sort_target() {
        range_request::SortTarget::Key => SortTarget::Key,
        range_request::SortTarget::Version => SortTarget::Version,
        range_request::SortTarget::Create => SortTarget::Create,
        range_request::SortTarget::Mod => SortTarget::Mod,
        range_request::SortTarget::Value => SortTarget::Value,
    };
    RangeRequest {
        key: request.key,
        range_end: request.range_end,
        limit: request.limit,
        revision: request.revision,
        sort_order,
        sort_target,
        keys_only: request.keys_only,
        count_only: request.count_only,
        min_mod_revision: request.min_mod_revision,
        max_mod_revision: request.max_mod_revision,
        min_create_revision: request.min_create_revision,
        max_create_revision: request.max_create_revision,
    }
}

/// A checked Put.
#[must_use]
pub(crate) fn put(request: wire::PutRequest) -> PutRequest {
    PutRequest {
        key: request.key,
        value: request.value,
        lease: request.lease,
        prev_kv: request.prev_kv,
        ignore_value: request.ignore_value,
        ignore_lease: request.ignore_lease,
    }
}

/// A checked DeleteRange.
#[must_use]
pub(crate) fn delete_range(request: wire::DeleteRangeRequest) -> DeleteRangeRequest {
    DeleteRangeRequest { key: request.key, range_end: request.range_end, prev_kv: request.prev_kv }
}

/// A checked transaction.
#[must_use]
pub(crate) fn txn(request: wire::TxnRequest) -> TxnRequest {
    TxnRequest {
        compare: request.compare.into_iter().map(compare).collect(),
        success: request.success.into_iter().filter_map(op).collect(),
        failure: request.failure.into_iter().filter_map(op).collect(),
    }
}

/// None for an empty operation, which `validate` refuses.
fn op(op: wire::RequestOp) -> Option<Op> {
    Some(match op.request? {
        Request::RequestRange(request) => Op::Range(range(request)),
        Request::RequestPut(request) => Op::Put(put(request)),
        Request::RequestDeleteRange(request) => Op::DeleteRange(delete_range(request)),
        Request::RequestTxn(request) => Op::Txn(txn(request)),
    })
}

/// A comparison. The operand counts only if it is of the target's kind; otherwise it is zero or empty, as in etcd.
fn compare(compare: wire::Compare) -> Compare {
    if let Some((result, target)) = outside_the_enumerations(&compare) {
        return Compare { key: compare.key, range_end: compare.range_end, result, target };
    }
    let result = match compare.result() {
        wire::compare::CompareResult::Equal => CompareResult::Equal,
        wire::compare::CompareResult::Greater => CompareResult::Greater,
        wire::compare::CompareResult::Less => CompareResult::Less,
        wire::compare::CompareResult::NotEqual => CompareResult::NotEqual,
    };
    let target = match (compare.target(), compare.target_union) {
        (wire::compare::CompareTarget::Version, Some(TargetUnion::Version(version))) => CompareTarget::Version(version),
        (wire::compare::CompareTarget::Version, _) => CompareTarget::Version(0),
        (wire::compare::CompareTarget::Create, Some(TargetUnion::CreateRevision(revision))) => {
            CompareTarget::Create(revision)
        }
        (wire::compare::CompareTarget::Create, _) => CompareTarget::Create(0),
        (wire::compare::CompareTarget::Mod, Some(TargetUnion::ModRevision(revision))) => CompareTarget::Mod(revision),
        (wire::compare::CompareTarget::Mod, _) => CompareTarget::Mod(0),
        (wire::compare::CompareTarget::Value, Some(TargetUnion::Value(value))) => CompareTarget::Value(value),
        (wire::compare::CompareTarget::Value, _) => CompareTarget::Value(Bytes::new()),
        (wire::compare::CompareTarget::Lease, Some(TargetUnion::Lease(lease))) => CompareTarget::Lease(lease),
        (wire::compare::CompareTarget::Lease, _) => CompareTarget::Lease(0),
    };
    Compare { key: compare.key, range_end: compare.range_end, result, target }
}

/// What a comparison means whose target or relation is a number that etcd does not know: an unknown target compares equals,
/// an unknown relation holds (server/etcdserver/txn/txn.go, compareKV). Said with a version, which is never negative, and
/// zero for an absent key: a value that is absent compares as false, also then.
fn outside_the_enumerations(compare: &wire::Compare) -> Option<(CompareResult, CompareTarget)> {
    const ALWAYS: (CompareResult, CompareTarget) = (CompareResult::Greater, CompareTarget::Version(-1));
    const NEVER: (CompareResult, CompareTarget) = (CompareResult::Less, CompareTarget::Version(0));
    const IF_PRESENT: (CompareResult, CompareTarget) = (CompareResult::Greater, CompareTarget::Version(0));
    let result = wire::compare::CompareResult::try_from(compare.result);
    let target = wire::compare::CompareTarget::try_from(compare.target);
    match (target, result) {
        (Ok(_), Ok(_)) => None,
        (Ok(wire::compare::CompareTarget::Value), Err(_)) => Some(IF_PRESENT),
        (_, Err(_)) | (Err(_), Ok(wire::compare::CompareResult::Equal)) => Some(ALWAYS),
        (Err(_), Ok(_)) => Some(NEVER),
    }
}

/// Answer to a Range.
#[must_use]
pub(crate) fn range_response(header: ResponseHeader, reply: RangeReply) -> wire::RangeResponse {
    wire::RangeResponse { header: Some(header), kvs: reply.kvs, more: reply.more, count: reply.count }
}

/// Answer to a Put.
#[must_use]
pub(crate) fn put_response(header: ResponseHeader, reply: PutReply) -> wire::PutResponse {
    wire::PutResponse { header: Some(header), prev_kv: reply.prev_kv }
}

/// Answer to a DeleteRange.
#[must_use]
pub(crate) fn delete_range_response(header: ResponseHeader, reply: DeleteRangeReply) -> wire::DeleteRangeResponse {
    wire::DeleteRangeResponse { header: Some(header), deleted: reply.deleted, prev_kvs: reply.prev_kvs }
}

/// Answer to a transaction. Headers inside carry the revision and nothing else, and those of nested transactions not even
/// that, as in etcd (server/etcdserver/txn/txn.go, newTxnResp).
#[must_use]
pub(crate) fn txn_response(header: ResponseHeader, reply: TxnReply) -> wire::TxnResponse {
    wire::TxnResponse {
        header: Some(header),
        succeeded: reply.succeeded,
        responses: reply.replies.into_iter().map(|(revision, reply)| op_response(revision, reply)).collect(),
    }
}

fn op_response(revision: i64, reply: OpReply) -> wire::ResponseOp {
    let header = ResponseHeader { revision, ..ResponseHeader::default() };
    wire::ResponseOp {
        response: Some(match reply {
            OpReply::Range(reply) => Response::ResponseRange(range_response(header, reply)),
            OpReply::Put(reply) => Response::ResponsePut(put_response(header, reply)),
            OpReply::DeleteRange(reply) => Response::ResponseDeleteRange(delete_range_response(header, reply)),
            OpReply::Txn(reply) => Response::ResponseTxn(txn_response(ResponseHeader::default(), reply)),
        }),
    }
}

/// An event of a watch.
#[must_use]
pub(crate) fn event(event: WatchEvent) -> wire::Event {
    let kind = match event.kind {
        WatchEventKind::Put => wire::event::EventType::Put,
        WatchEventKind::Delete => wire::event::EventType::Delete,
    };
    wire::Event { r#type: kind.into(), kv: event.kv, prev_kv: event.prev_kv }
}
