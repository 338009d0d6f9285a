//! Canned replies that the workloads' checks accept.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use archipel::etcd::wire::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse,
    RangeRequest, RangeResponse, RangeStreamResponse, ResponseHeader, TxnRequest, TxnResponse, kv_server::Kv,
};
use bytes::Bytes;
use tonic::{Request, Response, Status};

use crate::wire::protobuf::{put_bytes, put_number};

/// The value that every get finds.
const VALUE_BYTES: usize = 1_024;

/// The service. Its only state is a revision that grows with each write, because the checks look at it.
#[derive(Debug, Clone, Default)]
pub(super) struct Null {
    revision: Arc<AtomicI64>,
}

impl Null {
    fn header(&self, written: i64) -> Option<ResponseHeader> {
        let revision = self.revision.fetch_add(written, Ordering::Relaxed) + 1 + written;
        Some(ResponseHeader { revision, ..ResponseHeader::default() })
    }
}

/// mvccpb.KeyValue: key=1, create_revision=2, mod_revision=3, version=4, value=5.
fn pair(key: &[u8]) -> Bytes {
    let mut pair = Vec::with_capacity(key.len() + VALUE_BYTES + 16);
    put_bytes(&mut pair, 1, key);
    for field in 2..=4 {
        put_number(&mut pair, field, 1);
    }
    put_bytes(&mut pair, 5, &[7; VALUE_BYTES]);
    pair.into()
}

#[tonic::async_trait]
impl Kv for Null {
    type RangeStreamStream = tokio_stream::Empty<Result<RangeStreamResponse, Status>>;

    async fn range(&self, request: Request<RangeRequest>) -> Result<Response<RangeResponse>, Status> {
        let kvs = vec![pair(&request.get_ref().key)];
        Ok(Response::new(RangeResponse { header: self.header(0), kvs, count: 1, ..RangeResponse::default() }))
    }

    async fn range_stream(&self, _: Request<RangeRequest>) -> Result<Response<Self::RangeStreamStream>, Status> {
        Err(not_here())
    }

    async fn put(&self, _: Request<PutRequest>) -> Result<Response<PutResponse>, Status> {
        Ok(Response::new(PutResponse { header: self.header(1), ..PutResponse::default() }))
    }

    async fn delete_range(&self, _: Request<DeleteRangeRequest>) -> Result<Response<DeleteRangeResponse>, Status> {
        Err(not_here())
    }

    async fn txn(&self, _: Request<TxnRequest>) -> Result<Response<TxnResponse>, Status> {
        Ok(Response::new(TxnResponse { header: self.header(1), succeeded: true, ..TxnResponse::default() }))
    }

    async fn compact(&self, _: Request<CompactionRequest>) -> Result<Response<CompactionResponse>, Status> {
        Err(not_here())
    }
}

fn not_here() -> Status {
    Status::unimplemented("the null server only answers put, txn and range")
}
