//! A client of the etcd interface, as plain as the protocol. Versions are decoded here by their own field numbers, since the
//! server's messages carry them as bytes.

pub use archipel::etcd::{election_wire, lock_wire, wire};
use bytes::Bytes;
use election_wire::election_client::ElectionClient;
use lock_wire::lock_client::LockClient;
use prost::Message;
use std::time::Duration;
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport::Channel};
use wire::{
    Compare, DeleteRangeRequest, PutRequest, RangeRequest, RangeResponse, RequestOp, TxnRequest, TxnResponse,
    WatchCancelRequest, WatchCreateRequest, WatchProgressRequest, WatchRequest, WatchResponse, auth_client::AuthClient,
    cluster_client::ClusterClient, kv_client::KvClient, lease_client::LeaseClient,
    maintenance_client::MaintenanceClient, request_op, watch_client::WatchClient, watch_request::RequestUnion,
};

/// A message that is due arrives in this time.
const DUE: Duration = Duration::from_secs(10);
/// Requests of one watch stream that may wait.
const WATCH_REQUESTS: usize = 16;

/// `mvccpb.KeyValue` (etcd api/mvccpb/kv.proto).
#[derive(Clone, PartialEq, Eq, Message)]
pub struct KeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    #[allow(missing_docs)]
    pub key: Bytes,
    #[prost(int64, tag = "2")]
    #[allow(missing_docs)]
    pub create_revision: i64,
    #[prost(int64, tag = "3")]
    #[allow(missing_docs)]
    pub mod_revision: i64,
    #[prost(int64, tag = "4")]
    #[allow(missing_docs)]
    pub version: i64,
    #[prost(bytes = "bytes", tag = "5")]
    #[allow(missing_docs)]
    pub value: Bytes,
    #[prost(int64, tag = "6")]
    #[allow(missing_docs)]
    pub lease: i64,
}

/// Decodes a version.
///
/// # Panics
/// It is no version.
#[must_use]
pub fn kv(bytes: &Bytes) -> KeyValue {
    KeyValue::decode(bytes.clone()).expect("a version is an encoded mvccpb.KeyValue")
}

/// Keys of a reply, as text.
#[must_use]
pub fn keys(reply: &RangeResponse) -> Vec<String> {
    reply.kvs.iter().map(|bytes| String::from_utf8_lossy(&kv(bytes).key).into_owned()).collect()
}

/// All services over one connection.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Client {
    pub kv: KvClient<Channel>,
    pub watch: WatchClient<Channel>,
    pub lease: LeaseClient<Channel>,
    pub maintenance: MaintenanceClient<Channel>,
    pub cluster: ClusterClient<Channel>,
    pub auth: AuthClient<Channel>,
    pub lock: LockClient<Channel>,
    pub election: ElectionClient<Channel>,
    pub channel: Channel,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn connect(url: String) -> Result<Client, tonic::transport::Error> {
        Ok(Client::over(Channel::from_shared(url).expect("a URL").connect().await?))
    }

    /// Over a connection that there is.
    #[must_use]
    pub fn over(channel: Channel) -> Client {
        Client {
            kv: KvClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            watch: WatchClient::new(channel.clone()).max_decoding_message_size(usize::MAX),
            lease: LeaseClient::new(channel.clone()),
            maintenance: MaintenanceClient::new(channel.clone()),
            cluster: ClusterClient::new(channel.clone()),
            auth: AuthClient::new(channel.clone()),
            lock: LockClient::new(channel.clone()),
            election: ElectionClient::new(channel.clone()),
            channel,
        }
    }

    /// Puts, and returns the revision.
    ///
    /// # Errors
    /// The server's.
    pub async fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Result<i64, Status> {
        let request = PutRequest { key: key.into(), value: value.into(), ..PutRequest::default() };
        Ok(revision(self.kv.put(request).await?.into_inner().header))
    }

    /// Deletes a key, and returns the revision.
    ///
    /// # Errors
    /// The server's.
    pub async fn delete(&mut self, key: impl Into<Bytes>) -> Result<i64, Status> {
        let request = DeleteRangeRequest { key: key.into(), ..DeleteRangeRequest::default() };
        Ok(revision(self.kv.delete_range(request).await?.into_inner().header))
    }

    /// Reads.
    ///
    /// # Errors
    /// The server's.
    pub async fn range(&mut self, request: RangeRequest) -> Result<RangeResponse, Status> {
        self.kv.range(request).await.map(tonic::Response::into_inner)
    }

    /// Reads one key.
    ///
    /// # Errors
    /// The server's.
    pub async fn get(&mut self, key: impl Into<Bytes>) -> Result<Option<KeyValue>, Status> {
        let reply = self.range(RangeRequest { key: key.into(), ..RangeRequest::default() }).await?;
        Ok(reply.kvs.first().map(kv))
    }

    /// Runs a transaction.
    ///
    /// # Errors
    /// The server's.
    pub async fn txn(
        &mut self,
        compare: Vec<Compare>,
        success: Vec<RequestOp>,
        failure: Vec<RequestOp>,
    ) -> Result<TxnResponse, Status> {
        self.kv.txn(TxnRequest { compare, success, failure }).await.map(tonic::Response::into_inner)
    }

    /// Opens a watch stream.
    ///
    /// # Errors
    /// The server's.
    pub async fn watch_stream(&mut self) -> Result<WatchStream, Status> {
        self.watch_stream_as("").await
    }

    /// Opens a watch stream with a token; "" = none. It is not waited for: etcd says nothing, not even that the stream is
    /// open, before the first watch is asked for.
    ///
    /// # Errors
    /// None here; the server's are seen by the first response.
    pub async fn watch_stream_as(&mut self, token: &str) -> Result<WatchStream, Status> {
        let (requests, outgoing) = mpsc::channel(WATCH_REQUESTS);
        let mut request = Request::new(ReceiverStream::new(outgoing));
        if !token.is_empty() {
            request.metadata_mut().insert("token", token.parse().expect("a token is text"));
        }
        let mut client = self.watch.clone();
        let opening = tokio::spawn(async move { client.watch(request).await.map(tonic::Response::into_inner) });
        Ok(WatchStream { requests, responses: Responses::Opening(opening) })
    }
}

/// The revision of a header.
///
/// # Panics
/// There is no header.
#[must_use]
pub fn revision(header: Option<wire::ResponseHeader>) -> i64 {
    header.expect("a reply has a header").revision
}

/// A put as an operation.
#[must_use]
pub fn put_op(key: &str, value: &str) -> RequestOp {
    let put = PutRequest {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
        ..PutRequest::default()
    };
    RequestOp { request: Some(request_op::Request::RequestPut(put)) }
}

/// A read of one key as an operation.
#[must_use]
pub fn range_op(key: &str) -> RequestOp {
    let range = RangeRequest { key: Bytes::copy_from_slice(key.as_bytes()), ..RangeRequest::default() };
    RequestOp { request: Some(request_op::Request::RequestRange(range)) }
}

/// A delete of one key as an operation.
#[must_use]
pub fn delete_op(key: &str) -> RequestOp {
    let delete = DeleteRangeRequest { key: Bytes::copy_from_slice(key.as_bytes()), ..DeleteRangeRequest::default() };
    RequestOp { request: Some(request_op::Request::RequestDeleteRange(delete)) }
}

/// One watch stream.
#[derive(Debug)]
pub struct WatchStream {
    requests: mpsc::Sender<WatchRequest>,
    responses: Responses,
}

#[derive(Debug)]
enum Responses {
    Opening(JoinHandle<Result<Streaming<WatchResponse>, Status>>),
    Open(Box<Streaming<WatchResponse>>),
}

impl Responses {
    async fn message(&mut self) -> Result<Option<WatchResponse>, Status> {
        if let Responses::Opening(opening) = self {
            let open = opening.await.map_err(|error| Status::internal(error.to_string()))?;
            *self = Responses::Open(Box::new(open?));
        }
        match self {
            Responses::Open(responses) => responses.message().await,
            Responses::Opening(_) => Err(Status::internal("the stream is not open")),
        }
    }
}

impl WatchStream {
    async fn send(&self, request: RequestUnion) {
        let request = WatchRequest { request_union: Some(request) };
        self.requests.send(request).await.expect("the stream takes requests");
    }

    /// Asks for a watch and returns the first response.
    pub async fn create(&mut self, create: WatchCreateRequest) -> WatchResponse {
        self.send(RequestUnion::CreateRequest(create)).await;
        self.next().await
    }

    /// Cancels a watch.
    pub async fn cancel(&self, watch_id: i64) {
        self.send(RequestUnion::CancelRequest(WatchCancelRequest { watch_id })).await;
    }

    /// Asks for progress.
    pub async fn ask_progress(&self) {
        self.send(RequestUnion::ProgressRequest(WatchProgressRequest {})).await;
    }

    /// The next response.
    ///
    /// # Panics
    /// None comes in time.
    pub async fn next(&mut self) -> WatchResponse {
        let response = timeout(DUE, self.responses.message()).await.expect("a response is due");
        response.expect("the stream is well").expect("the stream goes on")
    }

    /// Nothing comes for a while.
    ///
    /// # Panics
    /// Something comes.
    pub async fn assert_quiet(&mut self, during: Duration) {
        if let Ok(response) = timeout(during, self.responses.message()).await {
            panic!("nothing was due: {response:?}");
        }
    }
}
