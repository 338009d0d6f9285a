//! Calls of other services' methods in a client's name: locks and elections are made of ordinary keys, so they go through
//! the KV and Lease services with the metadata of the request that they serve, and whatever is refused there is refused
//! here.

use super::{
    auth::Operation,
    context::Context,
    kv::KvService,
    lease::LeaseService,
    wire::{
        Compare, LeaseGrantRequest, LeaseRevokeRequest, RangeRequest, RangeResponse, RequestOp, ResponseHeader,
        TxnRequest, TxnResponse, WatchCreateRequest, compare::CompareTarget, compare::TargetUnion, kv_server::Kv,
        lease_server::Lease, range_request::SortOrder, range_request::SortTarget, request_op::Request as Op,
    },
};
use archipel_store::{
    mvcc::KeyValue,
    watch::{WatchEvent, WatchEventKind, WatchRequest, WatchStep},
};
use bytes::Bytes;
use std::ops::ControlFlow;
use tonic::{Extensions, Request, Response, Status, metadata::MetadataMap};

/// TTL of a lease that is made for a client that brought none (etcd: client/v3/concurrency/session.go).
const SESSION_TTL_S: i64 = 60;
/// Bytes of events taken in one look at the history.
const EVENTS_BYTES: usize = 64 * 1024;

/// In whose name calls are made. Clones are as cheap as its metadata.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    context: Context,
    kv: KvService,
    lease: LeaseService,
    metadata: MetadataMap,
    extensions: Extensions,
}

/// A version that a caller found, with the header of the reply that had it.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) header: ResponseHeader,
    pub(super) kv: Bytes,
}

impl Caller {
    /// The one who sent a request; its message comes back.
    pub(super) fn of<T>(context: &Context, request: Request<T>) -> (Caller, T) {
        let (metadata, extensions, message) = request.into_parts();
        let (kv, lease) = (KvService::new(context.clone()), LeaseService::new(context.clone()));
        (Caller { context: context.clone(), kv, lease, metadata, extensions }, message)
    }

    fn request<T>(&self, message: T) -> Request<T> {
        Request::from_parts(self.metadata.clone(), self.extensions.clone(), message)
    }

    /// A lease for a client that brought none (0).
    pub(super) async fn lease_or_new(&self, lease: i64) -> Result<i64, Status> {
        if lease != 0 {
            return Ok(lease);
        }
        let request = LeaseGrantRequest { id: 0, ttl: SESSION_TTL_S };
        let granted = self.lease.lease_grant(self.request(request)).await.map_err(without_code)?;
        Ok(granted.into_inner().id)
    }

    pub(super) async fn revoke(&self, id: i64) {
        // It expires by itself if this fails.
        drop(self.lease.lease_revoke(self.request(LeaseRevokeRequest { id })).await);
    }

    pub(super) async fn txn(
        &self,
        compare: Compare,
        success: Vec<Op>,
        failure: Vec<Op>,
    ) -> Result<(ResponseHeader, TxnResponse), Status> {
        let ops = |ops: Vec<Op>| ops.into_iter().map(|op| RequestOp { request: Some(op) }).collect();
        let request = TxnRequest { compare: vec![compare], success: ops(success), failure: ops(failure) };
        let reply = self.kv.txn(self.request(request)).await.map(Response::into_inner).map_err(without_code)?;
        Ok((reply.header.unwrap_or_default(), reply))
    }

    pub(super) async fn delete(&self, key: Bytes) -> Result<ResponseHeader, Status> {
        let request = super::wire::DeleteRangeRequest { key, ..Default::default() };
        let reply = self.kv.delete_range(self.request(request)).await.map_err(without_code)?;
        Ok(reply.into_inner().header.unwrap_or_default())
    }

    pub(super) async fn range(&self, request: RangeRequest) -> Result<(ResponseHeader, RangeResponse), Status> {
        let reply = self.kv.range(self.request(request)).await.map(Response::into_inner).map_err(without_code)?;
        Ok((reply.header.unwrap_or_default(), reply))
    }

    /// The oldest key of a prefix, which is its owner.
    pub(super) async fn owner(&self, prefix: &Bytes) -> Result<Result<Found, ResponseHeader>, Status> {
        let (header, reply) = self.range(oldest(prefix)).await?;
        Ok(reply.kvs.into_iter().next().map(|kv| Found { header, kv }).ok_or(header))
    }

    /// Waits until no key of the prefix that was created before `create_revision` is left.
    pub(super) async fn wait_for_older(&self, prefix: &Bytes, create_revision: i64) -> Result<(), Status> {
        loop {
            let request = RangeRequest {
                max_create_revision: create_revision - 1,
                sort_order: SortOrder::Descend.into(),
                ..oldest(prefix)
            };
            let (header, reply) = self.range(request).await?;
            let Some(youngest) = reply.kvs.first().and_then(key) else { return Ok(()) };
            let watch =
                WatchRequest { key: youngest, start_revision: header.revision + 1, no_put: true, ..Default::default() };
            // However the wait ends, the next look decides.
            self.watch(watch, |_, _| ControlFlow::Break(())).await?;
        }
    }

    /// Shows each event, with the revision up to which the history was read, until `visit` breaks, or until the history
    /// is compacted. No time passes between two looks: the store says when there is something new.
    ///
    /// # Errors
    /// The caller may not read the keys, a value cannot be read, or the process stops.
    pub(super) async fn watch(
        &self,
        request: WatchRequest,
        mut visit: impl FnMut(i64, WatchEvent) -> ControlFlow<()>,
    ) -> Result<(), Status> {
        let (key, range_end) = (request.key.clone(), request.range_end.clone());
        let create = WatchCreateRequest { key, range_end, ..WatchCreateRequest::default() };
        let permitted = self.context.auth.authorize(&self.request(()), Operation::Watch(&create));
        let _permit = permitted.map_err(|refused| without_code(refused.into()))?;
        let mut published = self.context.store.published();
        let mut watcher = self.context.store.watch(request);
        loop {
            published.borrow_and_update();
            match watcher.poll_events(EVENTS_BYTES) {
                WatchStep::Events { revision, events } => {
                    for event in events {
                        if visit(revision, event).is_break() {
                            return Ok(());
                        }
                    }
                }
                WatchStep::Compacted { .. } => return Ok(()),
                WatchStep::Unreadable(error) => return Err(super::status::from_store(error)),
                WatchStep::Synced { .. } => tokio::select! {
                    changed = published.changed() => changed.map_err(|_| super::status::EtcdError::Stopped)?,
                    () = self.context.stop.cancelled() => return Err(super::status::EtcdError::Stopped.into()),
                },
            }
        }
    }
}

/// Deletes the key of a caller whose wait ended without what it waited for, in particular when the client went away:
/// the call's future is dropped then.
#[derive(Debug)]
pub(super) struct Waiting {
    caller: Caller,
    key: Bytes,
    create_revision: i64,
    /// The lease that was made for the call.
    lease: Option<i64>,
    armed: bool,
}

impl Waiting {
    /// Guards a key. `created` = this call made it; otherwise an earlier call with the same lease waits on it, too.
    pub(super) fn new(caller: &Caller, key: Bytes, create_revision: i64, lease: Option<i64>, created: bool) -> Waiting {
        Waiting { caller: caller.clone(), key, create_revision, lease, armed: created }
    }

    /// The wait is over, and the key stays.
    pub(super) fn keep(mut self) {
        self.armed = false;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let (caller, key, create_revision, lease) =
            (self.caller.clone(), self.key.clone(), self.create_revision, self.lease);
        // Without a runtime the process ends, and the lease ends what the caller left.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            let delete = super::wire::DeleteRangeRequest { key: key.clone(), ..Default::default() };
            let is_mine = created_at(key, create_revision);
            // The lease's end deletes the key if this fails.
            drop(caller.txn(is_mine, vec![Op::RequestDeleteRange(delete)], Vec::new()).await);
            if let Some(lease) = lease {
                caller.revoke(lease).await;
            }
        });
    }
}

/// etcd's client inside the server gives errors without their codes.
fn without_code(status: Status) -> Status {
    Status::unknown(status.message())
}

/// A Range of the oldest key of a prefix.
pub(super) fn oldest(prefix: &Bytes) -> RangeRequest {
    RangeRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        limit: 1,
        sort_order: SortOrder::Ascend.into(),
        sort_target: SortTarget::Create.into(),
        ..RangeRequest::default()
    }
}

/// The comparison: the key was created at this revision; 0 = it does not exist.
pub(super) fn created_at(key: Bytes, create_revision: i64) -> Compare {
    Compare {
        key,
        target: CompareTarget::Create.into(),
        target_union: Some(TargetUnion::CreateRevision(create_revision)),
        ..Compare::default()
    }
}

/// The prefix under which a name's keys lie, and the key of a lease there.
pub(super) fn keys_of(name: &[u8], lease: i64) -> (Bytes, Bytes) {
    let prefix = [name, b"/"].concat();
    let key = [prefix.as_slice(), format!("{lease:x}").as_bytes()].concat();
    (prefix.into(), key.into())
}

pub(super) fn key(kv: &Bytes) -> Option<Bytes> {
    KeyValue::decode(kv).ok().map(|kv| Bytes::copy_from_slice(kv.key))
}

pub(super) fn is_delete(event: &WatchEvent) -> bool {
    event.kind == WatchEventKind::Delete
}

/// The first key that does not begin with `prefix`; one zero byte if every later key does.
pub(super) fn prefix_end(prefix: &[u8]) -> Bytes {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX);
    match kept.and_then(|last| prefix.get(..=last)) {
        Some(head) => {
            let mut end = head.to_vec();
            if let Some(last) = end.last_mut() {
                *last += 1;
            }
            end.into()
        }
        None => Bytes::from_static(&[0]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_its_last_byte_grows() {
        assert_eq!(prefix_end(b"lock/"), Bytes::from_static(b"lock0"));
        assert_eq!(prefix_end(b"a\xff\xff"), Bytes::from_static(b"b"));
        assert_eq!(prefix_end(b"\xff"), Bytes::from_static(&[0]));
    }

    #[test]
    fn keys_end_with_the_lease_in_hexadecimal() {
        let (prefix, key) = keys_of(b"name", 0x1f);
        assert_eq!((prefix.as_ref(), key.as_ref()), (&b"name/"[..], &b"name/1f"[..]));
    }
}
