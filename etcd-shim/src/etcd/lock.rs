//! The Lock service (etcd: server/etcdserver/api/v3lock, client/v3/concurrency/mutex.go). A waiter is a key with its lease
//! under the lock's name; the oldest one holds the lock.

use super::{
    caller::{Caller, Waiting, created_at, keys_of, oldest},
    context::Context,
    lock_wire::{LockRequest, LockResponse, UnlockRequest, UnlockResponse, lock_server::Lock},
    status,
    wire::{PutRequest, RangeRequest, request_op::Request as Op, response_op},
};
use archipel_store::mvcc::KeyValue;
use bytes::Bytes;
use tonic::{Request, Response, Status};

/// v3lockpb.Lock.
#[derive(Clone, Debug)]
pub(crate) struct LockService {
    context: Context,
}

impl LockService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> LockService {
        LockService { context }
    }
}

async fn lock(caller: &Caller, request: LockRequest) -> Result<LockResponse, Status> {
    let lease = caller.lease_or_new(request.lease).await?;
    let (prefix, key) = keys_of(&request.name, lease);
    let put = Op::RequestPut(PutRequest { key: key.clone(), lease, ..PutRequest::default() });
    let get = Op::RequestRange(RangeRequest { key: key.clone(), ..RangeRequest::default() });
    let owner = Op::RequestRange(oldest(&prefix));
    let (header, reply) = caller.txn(created_at(key.clone(), 0), vec![put, owner.clone()], vec![get, owner]).await?;
    let created = |index: usize| match reply.responses.get(index)?.response.as_ref()? {
        response_op::Response::ResponseRange(range) => create_revision(range.kvs.first()?),
        _ => None,
    };
    let mine = if reply.succeeded { header.revision } else { created(0).unwrap_or(header.revision) };
    let own_lease = (request.lease == 0).then_some(lease);
    let waiting = Waiting::new(caller, key.clone(), mine, own_lease, reply.succeeded);
    if created(1).is_none_or(|oldest| oldest == mine) {
        waiting.keep();
        return Ok(LockResponse { header: Some(header), key });
    }
    caller.wait_for_older(&prefix, mine).await?;
    let (header, found) = caller.range(RangeRequest { key: key.clone(), ..RangeRequest::default() }).await?;
    if found.kvs.is_empty() {
        return Err(Status::unknown(status::SESSION_EXPIRED));
    }
    waiting.keep();
    Ok(LockResponse { header: Some(header), key })
}

fn create_revision(kv: &Bytes) -> Option<i64> {
    KeyValue::decode(kv).ok().map(|kv| kv.create_revision)
}

#[tonic::async_trait]
impl Lock for LockService {
    async fn lock(&self, request: Request<LockRequest>) -> Result<Response<LockResponse>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        lock(&caller, request).await.map(Response::new)
    }

    async fn unlock(&self, request: Request<UnlockRequest>) -> Result<Response<UnlockResponse>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        let header = caller.delete(request.key).await?;
        Ok(Response::new(UnlockResponse { header: Some(header) }))
    }
}
