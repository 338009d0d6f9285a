//! The Election service (etcd: server/etcdserver/api/v3election, client/v3/concurrency/election.go). A candidate is a key
//! with its lease under the election's name; the oldest one leads.

use super::{
    caller::{Caller, Found, Waiting, created_at, is_delete, key, keys_of, prefix_end},
    context::Context,
    election_wire::{
        CampaignRequest, CampaignResponse, LeaderKey, LeaderRequest, LeaderResponse, ProclaimRequest, ProclaimResponse,
        ResignRequest, ResignResponse, election_server::Election,
    },
    status,
    wire::{DeleteRangeRequest, PutRequest, RangeRequest, ResponseHeader, request_op::Request as Op, response_op},
};
use archipel_store::{mvcc::KeyValue, watch::WatchRequest};
use bytes::Bytes;
use std::ops::ControlFlow;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// Leaders that wait for an observer; beyond it the observation waits.
const OBSERVED_MAX: usize = 16;

/// v3electionpb.Election.
#[derive(Clone, Debug)]
pub(crate) struct ElectionService {
    context: Context,
}

impl ElectionService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> ElectionService {
        ElectionService { context }
    }
}

async fn campaign(caller: &Caller, request: CampaignRequest) -> Result<CampaignResponse, Status> {
    let lease = caller.lease_or_new(request.lease).await?;
    let (prefix, key) = keys_of(&request.name, lease);
    let put = PutRequest { key: key.clone(), value: request.value.clone(), lease, ..PutRequest::default() };
    let get = RangeRequest { key: key.clone(), ..RangeRequest::default() };
    let entered = created_at(key.clone(), 0);
    let (mut header, reply) = caller.txn(entered, vec![Op::RequestPut(put)], vec![Op::RequestRange(get)]).await?;
    let mut leader = LeaderKey { name: request.name, key: key.clone(), rev: header.revision, lease };
    if !reply.succeeded {
        let before = match reply.responses.into_iter().next().and_then(|reply| reply.response) {
            Some(response_op::Response::ResponseRange(range)) => range.kvs.into_iter().next().unwrap_or_default(),
            _ => Bytes::new(),
        };
        let before = KeyValue::decode(&before).map_err(|error| Status::internal(error.to_string()))?;
        leader.rev = before.create_revision;
        if before.value != request.value {
            header = proclaim(caller, &leader, request.value).await?;
        }
    }
    let own_lease = (request.lease == 0).then_some(lease);
    let waiting = Waiting::new(caller, key, leader.rev, own_lease, reply.succeeded);
    caller.wait_for_older(&prefix, leader.rev).await?;
    waiting.keep();
    Ok(CampaignResponse { header: Some(header), leader: Some(leader) })
}

/// Sets the leader's value, if it still leads or waits.
async fn proclaim(caller: &Caller, leader: &LeaderKey, value: Bytes) -> Result<ResponseHeader, Status> {
    let put = PutRequest { key: leader.key.clone(), value, lease: leader.lease, ..PutRequest::default() };
    let still = created_at(leader.key.clone(), leader.rev);
    let (header, reply) = caller.txn(still, vec![Op::RequestPut(put)], Vec::new()).await?;
    if reply.succeeded { Ok(header) } else { Err(Status::unknown(status::ELECTION_NOT_LEADER)) }
}

/// Sends the leader, and the next one each time that changes, until the client is gone.
async fn observe(
    caller: &Caller,
    prefix: &Bytes,
    output: &mpsc::Sender<Result<LeaderResponse, Status>>,
) -> Result<(), Status> {
    loop {
        let Some(found) = leader_or_first(caller, prefix).await? else { continue };
        let Some(key) = key(&found.kv) else { return Ok(()) };
        let start_revision = found.header.revision + 1;
        let header = found.header;
        if output.send(Ok(reply(found))).await.is_err() {
            return Ok(());
        }
        let mut request = WatchRequest { key, start_revision, ..WatchRequest::default() };
        loop {
            let mut next = None;
            let take = |revision, event| {
                next = Some((revision, event));
                ControlFlow::Break(())
            };
            caller.watch(request.clone(), take).await?;
            // Deleted, or compacted away: who leads now?
            let Some((revision, event)) = next.filter(|(_, event)| !is_delete(event)) else { break };
            request.start_revision = KeyValue::decode(&event.kv).map_or(revision, |kv| kv.mod_revision) + 1;
            let header = ResponseHeader { revision, ..header };
            if output.send(Ok(reply(Found { header, kv: event.kv }))).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// The leader, or the first candidate to come. None: look again.
async fn leader_or_first(caller: &Caller, prefix: &Bytes) -> Result<Option<Found>, Status> {
    let header = match caller.owner(prefix).await? {
        Ok(found) => return Ok(Some(found)),
        Err(header) => header,
    };
    let request = WatchRequest {
        key: prefix.clone(),
        range_end: prefix_end(prefix),
        start_revision: header.revision + 1,
        no_delete: true,
        ..WatchRequest::default()
    };
    let mut first = None;
    let take = |_, event: archipel_store::watch::WatchEvent| {
        first = Some(event.kv);
        ControlFlow::Break(())
    };
    caller.watch(request, take).await?;
    Ok(first.map(|kv| {
        let revision = KeyValue::decode(&kv).map_or(header.revision, |kv| kv.mod_revision);
        Found { header: ResponseHeader { revision, ..header }, kv }
    }))
}

fn reply(found: Found) -> LeaderResponse {
    LeaderResponse { header: Some(found.header), kv: found.kv }
}

fn prefix(name: &[u8]) -> Bytes {
    keys_of(name, 0).0
}

fn required(leader: Option<LeaderKey>) -> Result<LeaderKey, Status> {
    leader.ok_or_else(|| Status::unknown(status::ELECTION_LEADER_REQUIRED))
}

#[tonic::async_trait]
impl Election for ElectionService {
    type ObserveStream = ReceiverStream<Result<LeaderResponse, Status>>;

    async fn campaign(&self, request: Request<CampaignRequest>) -> Result<Response<CampaignResponse>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        campaign(&caller, request).await.map(Response::new)
    }

    async fn proclaim(&self, request: Request<ProclaimRequest>) -> Result<Response<ProclaimResponse>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        let header = proclaim(&caller, &required(request.leader)?, request.value).await?;
        Ok(Response::new(ProclaimResponse { header: Some(header) }))
    }

    async fn leader(&self, request: Request<LeaderRequest>) -> Result<Response<LeaderResponse>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        match caller.owner(&prefix(&request.name)).await? {
            Ok(found) => Ok(Response::new(reply(found))),
            Err(_) => Err(Status::unknown(status::ELECTION_NO_LEADER)),
        }
    }

    async fn observe(&self, request: Request<LeaderRequest>) -> Result<Response<Self::ObserveStream>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        let (output, leaders) = mpsc::channel(OBSERVED_MAX);
        // Ends when the client goes away, or when the process stops.
        tokio::spawn(async move {
            let prefix = prefix(&request.name);
            let ended = tokio::select! {
                ended = observe(&caller, &prefix, &output) => ended,
                () = output.closed() => return,
            };
            if let Err(status) = ended {
                drop(output.send(Err(status)).await);
            }
        });
        Ok(Response::new(ReceiverStream::new(leaders)))
    }

    async fn resign(&self, request: Request<ResignRequest>) -> Result<Response<ResignResponse>, Status> {
        let (caller, request) = Caller::of(&self.context, request);
        let leader = required(request.leader)?;
        let delete = DeleteRangeRequest { key: leader.key.clone(), ..DeleteRangeRequest::default() };
        let still = created_at(leader.key, leader.rev);
        let (header, _) = caller.txn(still, vec![Op::RequestDeleteRange(delete)], Vec::new()).await?;
        Ok(Response::new(ResignResponse { header: Some(header) }))
    }
}
