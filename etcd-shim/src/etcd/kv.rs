//! The KV service: decode, validate in etcd's order, ask whether the caller may, ask the store, answer.
//! Predecessor on the write path: the gRPC server; successor: `validate`, `auth`, `convert`, then the store.

use super::{
    alarm,
    auth::Operation,
    context::Context,
    convert,
    range_stream::{self, RangeStream},
    status::{self, EtcdError},
    validate,
    wire::{
        CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
        RangeRequest, RangeResponse, TxnRequest, TxnResponse, kv_server::Kv,
    },
};
use prost::Message;
use tonic::{Request, Response, Status};

/// etcdserverpb.KV.
#[derive(Clone, Debug)]
pub(crate) struct KvService {
    context: Context,
}

impl KvService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> KvService {
        KvService { context }
    }

    fn range_now(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        validate::range(request.get_ref())?;
        let permit = self.context.auth.authorize(&request, Operation::Range(request.get_ref()))?;
        let request = convert::range(request.into_inner());
        let (revision, reply) = self.context.store.range(&request).map_err(status::from_store)?;
        self.context.auth.confirm(permit)?;
        self.context.metrics.mvcc.range.inc();
        Ok(Response::new(convert::range_response(self.context.header(revision), reply)))
    }

    fn range_stream_now(&self, request: Request<RangeRequest>) -> Result<Response<RangeStream>, Status> {
        validate::range(request.get_ref())?;
        let permit = self.context.auth.authorize(&request, Operation::Range(request.get_ref()))?;
        let stream = range_stream::start(&self.context, request.into_inner())?;
        // The stream reads the state that was pinned before this.
        self.context.auth.confirm(permit)?;
        Ok(Response::new(stream))
    }

    async fn put_now(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        validate::put(request.get_ref())?;
        let permit = self.context.auth.authorize(&request, Operation::Put(request.get_ref()))?;
        let request = request.into_inner();
        self.fits(&request)?;
        self.context.alarms.admit(&self.context.store, alarm::put_bytes(&request)).await?;
        let (revision, reply) = self
            .context
            .store
            .only_if(|| self.context.auth.holds(permit))
            .put(convert::put(request))
            .await
            .map_err(status::from_store)?;
        self.context.metrics.mvcc.put.inc();
        Ok(Response::new(convert::put_response(self.context.header(revision), reply)))
    }

    async fn delete_range_now(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        validate::delete_range(request.get_ref())?;
        let permit = self.context.auth.authorize(&request, Operation::DeleteRange(request.get_ref()))?;
        let request = request.into_inner();
        self.fits(&request)?;
        self.context.alarms.refuse_if_corrupt()?;
        let (revision, reply) = self
            .context
            .store
            .only_if(|| self.context.auth.holds(permit))
            .delete_range(convert::delete_range(request))
            .await
            .map_err(status::from_store)?;
        self.context.metrics.mvcc.delete.inc_by(u64::try_from(reply.deleted).unwrap_or(0));
        Ok(Response::new(convert::delete_range_response(self.context.header(revision), reply)))
    }

    async fn txn_now(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        validate::txn(request.get_ref(), self.context.limits.max_txn_ops)?;
        let permit = self.context.auth.authorize(&request, Operation::Txn(request.get_ref()))?;
        let request = request.into_inner();
        self.fits(&request)?;
        match alarm::txn_bytes(&request) {
            0 => self.context.alarms.refuse_if_corrupt()?,
            bytes => self.context.alarms.admit(&self.context.store, bytes).await?,
        }
        let (revision, reply) = self
            .context
            .store
            .only_if(|| self.context.auth.holds(permit))
            .txn(convert::txn(request))
            .await
            .map_err(status::from_store)?;
        self.context.metrics.mvcc.count_txn(&reply);
        Ok(Response::new(convert::txn_response(self.context.header(revision), reply)))
    }

    async fn compact_now(&self, request: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::Compact)?;
        self.context.alarms.refuse_if_corrupt()?;
        let CompactionRequest { revision, physical } = request.into_inner();
        let revision = self.context.store.compact(revision, physical).await.map_err(status::from_store)?;
        Ok(Response::new(CompactionResponse { header: Some(self.context.header(revision)) }))
    }

    /// etcd's limit on one write (server/etcdserver/v3_server.go: MaxRequestBytes).
    fn fits(&self, request: &impl Message) -> Result<(), EtcdError> {
        if request.encoded_len() > self.context.limits.max_request_bytes {
            return Err(EtcdError::RequestTooLarge);
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl Kv for KvService {
    type RangeStreamStream = RangeStream;

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let call = self.context.metrics.calls.range.start();
        call.end(self.range_now(request))
    }

    async fn range_stream(&self, request: Request<RangeRequest>) -> Result<Response<RangeStream>, Status> {
        let call = self.context.metrics.calls.range_stream.start();
        call.end(self.range_stream_now(request))
    }

    async fn put(&self, request: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        let call = self.context.metrics.calls.put.start();
        call.end(self.put_now(request).await)
    }

    async fn delete_range(
        &self,
        request: Request<DeleteRangeRequest>,
    ) -> Result<Response<DeleteRangeResponse>, Status> {
        let call = self.context.metrics.calls.delete_range.start();
        call.end(self.delete_range_now(request).await)
    }

    async fn txn(&self, request: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        let call = self.context.metrics.calls.txn.start();
        call.end(self.txn_now(request).await)
    }

    async fn compact(&self, request: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        let call = self.context.metrics.calls.compact.start();
        call.end(self.compact_now(request).await)
    }
}
