//! One operation over the wire, and what its answer means.

use crate::{
    client::{
        self, Client, revision,
        wire::{
            CompactionRequest, Compare, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, PutRequest,
            RangeRequest, RequestOp, TxnRequest, compare::TargetUnion, request_op, response_op,
        },
    },
    history::{Kv, Outcome, Read, Request, Write, WriteOp},
};
use bytes::Bytes;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Code, Status};

/// A client gives up after this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The compare target "mod revision".
const TARGET_MOD: i32 = 2;

/// Does it.
pub(super) async fn call(client: &mut Client, request: &Request) -> Outcome {
    match timeout(PATIENCE, try_call(client, request)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(status)) => refused(&status),
        Err(_) => Outcome::Unknown,
    }
}

/// Only these codes are given before anything happens; after any other the operation may have had its effect.
fn refused(status: &Status) -> Outcome {
    match status.code() {
        Code::InvalidArgument
        | Code::OutOfRange
        | Code::NotFound
        | Code::FailedPrecondition
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::ResourceExhausted => Outcome::Refused(status.message().to_owned()),
        _ => Outcome::Unknown,
    }
}

async fn try_call(client: &mut Client, request: &Request) -> Result<Outcome, Status> {
    match request {
        Request::Write(write) => {
            if let (None, [only]) = (&write.guard, write.ops.as_slice()) {
                return single(client, only).await;
            }
            transaction(client, write).await
        }
        Request::Read(read) => {
            let limit = i64::try_from(read.limit).unwrap_or(0);
            let request = RangeRequest {
                key: read.key.clone().into(),
                range_end: read.end.clone().into(),
                revision: read.revision,
                limit,
                ..RangeRequest::default()
            };
            let reply = client.range(request).await?;
            let kvs = reply.kvs.iter().map(kv).collect();
            Ok(Outcome::Found { revision: revision(reply.header), kvs, count: reply.count, more: reply.more })
        }
        Request::Compact(at) => {
            let reply = client.kv.compact(CompactionRequest { revision: *at, physical: false }).await?;
            Ok(Outcome::Done { revision: revision(reply.into_inner().header) })
        }
        Request::Grant { lease, ttl_s } => {
            let reply = client.lease.lease_grant(LeaseGrantRequest { ttl: *ttl_s, id: *lease }).await?;
            Ok(Outcome::Done { revision: revision(reply.into_inner().header) })
        }
        Request::Revoke(lease) => {
            let reply = client.lease.lease_revoke(LeaseRevokeRequest { id: *lease }).await?;
            Ok(Outcome::Done { revision: revision(reply.into_inner().header) })
        }
    }
}

async fn single(client: &mut Client, op: &WriteOp) -> Result<Outcome, Status> {
    let (revision, previous) = match op {
        WriteOp::Put { .. } => {
            let reply = client.kv.put(put(op)).await?.into_inner();
            (revision(reply.header), reply.prev_kv)
        }
        WriteOp::Delete { key } => {
            let request =
                DeleteRangeRequest { key: key.clone().into(), prev_kv: true, ..DeleteRangeRequest::default() };
            let reply = client.kv.delete_range(request).await?.into_inner();
            (revision(reply.header), reply.prev_kvs.into_iter().next())
        }
    };
    Ok(Outcome::Written { revision, succeeded: true, previous: vec![previous.as_ref().map(kv)] })
}

fn put(op: &WriteOp) -> PutRequest {
    let WriteOp::Put { key, value, lease } = op else { return PutRequest::default() };
    let (key, value) = (key.clone().into(), value.clone().into());
    PutRequest { key, value, lease: *lease, prev_kv: true, ..PutRequest::default() }
}

async fn transaction(client: &mut Client, write: &Write) -> Result<Outcome, Status> {
    let compare = write.guard.iter().map(|(key, revision)| Compare {
        target: TARGET_MOD,
        key: key.clone().into(),
        target_union: Some(TargetUnion::ModRevision(*revision)),
        ..Compare::default()
    });
    let ops = write.ops.iter().map(|op| match op {
        WriteOp::Put { .. } => request_op::Request::RequestPut(put(op)),
        WriteOp::Delete { key } => request_op::Request::RequestDeleteRange(DeleteRangeRequest {
            key: key.clone().into(),
            prev_kv: true,
            ..DeleteRangeRequest::default()
        }),
    });
    let request = TxnRequest {
        compare: compare.collect(),
        success: ops.map(|request| RequestOp { request: Some(request) }).collect(),
        failure: Vec::new(),
    };
    let reply = client.kv.txn(request).await?.into_inner();
    let previous = reply.responses.iter().map(|op| match &op.response {
        Some(response_op::Response::ResponsePut(put)) => put.prev_kv.as_ref().map(kv),
        Some(response_op::Response::ResponseDeleteRange(delete)) => delete.prev_kvs.first().map(kv),
        _ => None,
    });
    let previous = previous.collect();
    Ok(Outcome::Written { revision: revision(reply.header), succeeded: reply.succeeded, previous })
}

/// A version as the history has it.
pub(super) fn kv(bytes: &Bytes) -> Kv {
    let version = client::kv(bytes);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Kv {
        key: text(&version.key),
        value: text(&version.value),
        create_revision: version.create_revision,
        mod_revision: version.mod_revision,
        version: version.version,
        lease: version.lease,
    }
}

/// An interval as a read.
pub(super) fn everything() -> Read {
    Read { key: "r/".into(), end: "r0".into(), ..Read::default() }
}
