//! One request to one server.

use super::{raw, reply::Reply, request::Request};
use crate::client::{
    Client,
    wire::{
        HashKvRequest, LeaseGrantRequest, LeaseKeepAliveRequest, LeaseLeasesRequest, LeaseRevokeRequest, RangeRequest,
        RangeResponse, StatusRequest,
    },
};
use bytes::Bytes;
use prost::Message;
use std::time::Duration;
use tokio::time::timeout;
use tonic::{Status, transport::Channel};

/// An answer is due in this time.
const DUE: Duration = Duration::from_secs(20);

/// What a caller needs; clones share the connection.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub(super) client: Client,
    pub(super) channel: Channel,
}

/// What a method answers; ids in it would differ as bytes.
fn typed(path: &str, bytes: Bytes) -> Result<Reply, Status> {
    fn decode<M: Message + Default>(bytes: Bytes, reply: fn(M) -> Reply) -> Result<Reply, Status> {
        M::decode(bytes).map(reply).map_err(|error| Status::internal(format!("the reply is no message: {error}")))
    }
    match path {
        "/etcdserverpb.KV/Range" => decode(bytes, Reply::Range),
        "/etcdserverpb.KV/Put" => decode(bytes, Reply::Put),
        "/etcdserverpb.KV/DeleteRange" => decode(bytes, Reply::DeleteRange),
        "/etcdserverpb.KV/Txn" => decode(bytes, Reply::Txn),
        _ => Ok(Reply::Raw(bytes)),
    }
}

impl Caller {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub(super) async fn connect(url: &str) -> Result<Caller, tonic::transport::Error> {
        let channel = Channel::from_shared(url.to_owned()).expect("a URL").connect().await?;
        Ok(Caller { client: Client::over(channel.clone()), channel })
    }

    /// The reply to a request whose revisions are absolute. Watch actions go elsewhere.
    pub(super) async fn call(mut self, request: Request) -> Reply {
        let late = |_| Err(Status::deadline_exceeded("no answer in time"));
        let reply = timeout(DUE, self.try_call(request)).await.unwrap_or_else(late);
        let mut reply = reply.unwrap_or_else(|status| Reply::error(&status));
        reply.normalise();
        reply
    }

    async fn try_call(&mut self, request: Request) -> Result<Reply, Status> {
        let Client { kv, lease, maintenance, .. } = &mut self.client;
        Ok(match request {
            Request::Range(range) => Reply::Range(kv.range(range).await?.into_inner()),
            Request::RangeStream(range) => self.range_stream(range).await?,
            Request::Put(put) => Reply::Put(kv.put(put).await?.into_inner()),
            Request::DeleteRange(delete) => Reply::DeleteRange(kv.delete_range(delete).await?.into_inner()),
            Request::Txn(txn) => Reply::Txn(kv.txn(txn).await?.into_inner()),
            Request::Compact(compact) => Reply::Compact(kv.compact(compact).await?.into_inner()),
            Request::LeaseGrant(grant) if grant.id == 0 => self.grant_any(grant).await?,
            Request::LeaseGrant(grant) => Reply::LeaseGrant(lease.lease_grant(grant).await?.into_inner()),
            Request::LeaseRevoke(revoke) => Reply::LeaseRevoke(lease.lease_revoke(revoke).await?.into_inner()),
            Request::LeaseTimeToLive(ask) => Reply::LeaseTimeToLive(lease.lease_time_to_live(ask).await?.into_inner()),
            Request::LeaseLeases => Reply::LeaseLeases(lease.lease_leases(LeaseLeasesRequest {}).await?.into_inner()),
            Request::LeaseKeepAlive(ids) => self.keep_alive(ids).await?,
            Request::Status => {
                Reply::Status(Box::new(maintenance.status(StatusRequest::default()).await?.into_inner()))
            }
            Request::HashKv(revision) => {
                Reply::HashKv(maintenance.hash_kv(HashKvRequest { revision }).await?.into_inner())
            }
            Request::Raw { path, body } => typed(path, raw::call(self.channel.clone(), path, body).await?)?,
            Request::Watch { .. } => return Err(Status::internal("a watch action is no call")),
        })
    }

    async fn range_stream(&mut self, range: RangeRequest) -> Result<Reply, Status> {
        let mut chunks = self.client.kv.range_stream(range).await?.into_inner();
        let (mut whole, mut chunk_keys) = (RangeResponse::default(), Vec::new());
        while let Some(chunk) = chunks.message().await? {
            let RangeResponse { header, kvs, more, count } = chunk.range_response.unwrap_or_default();
            chunk_keys.push(kvs.len());
            whole.kvs.extend(kvs);
            whole.header = header.or(whole.header);
            whole.more |= more;
            whole.count += count;
        }
        Ok(Reply::RangeStream { whole, chunk_keys })
    }

    async fn grant_any(&mut self, grant: LeaseGrantRequest) -> Result<Reply, Status> {
        let mut reply = self.client.lease.lease_grant(grant).await?.into_inner();
        if reply.id > 0 {
            self.client.lease.lease_revoke(LeaseRevokeRequest { id: reply.id }).await?;
            reply.id = 1;
        }
        Ok(Reply::LeaseGrant(reply))
    }

    async fn keep_alive(&mut self, ids: Vec<i64>) -> Result<Reply, Status> {
        let count = ids.len();
        let requests = tokio_stream::iter(ids.into_iter().map(|id| LeaseKeepAliveRequest { id }));
        let mut stream = self.client.lease.lease_keep_alive(requests).await?.into_inner();
        let mut replies = Vec::with_capacity(count);
        while replies.len() < count
            && let Some(reply) = stream.message().await?
        {
            replies.push(reply);
        }
        Ok(Reply::LeaseKeepAlive(replies))
    }
}
