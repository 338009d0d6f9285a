//! The Lease service (etcd: server/etcdserver/api/v3rpc/lease.go).

use super::{
    alarm,
    auth::{Credentials, Operation},
    context::Context,
    status,
    wire::{
        LeaseGrantRequest, LeaseGrantResponse, LeaseKeepAliveRequest, LeaseKeepAliveResponse, LeaseLeasesRequest,
        LeaseLeasesResponse, LeaseRevokeRequest, LeaseRevokeResponse, LeaseStatus, LeaseTimeToLiveRequest,
        LeaseTimeToLiveResponse, lease_server::Lease,
    },
};
use std::pin::Pin;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};

/// TTL of a lease that does not exist, in TimeToLive.
const TTL_UNKNOWN: i64 = -1;

/// etcdserverpb.Lease.
#[derive(Clone, Debug)]
pub(crate) struct LeaseService {
    context: Context,
}

impl LeaseService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> LeaseService {
        LeaseService { context }
    }

    async fn grant(&self, request: Request<LeaseGrantRequest>) -> Result<Response<LeaseGrantResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::LeaseGrant)?;
        let request = request.into_inner();
        self.context.alarms.admit(&self.context.store, alarm::lease_bytes()).await?;
        let (revision, id, ttl) =
            self.context.store.lease_grant(request.id, request.ttl).await.map_err(status::from_store)?;
        self.context.metrics.lease.granted.inc();
        let header = Some(self.context.header(revision));
        Ok(Response::new(LeaseGrantResponse { header, id, ttl, error: String::new() }))
    }

    async fn revoke(&self, request: Request<LeaseRevokeRequest>) -> Result<Response<LeaseRevokeResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::LeaseRevoke { id: request.get_ref().id })?;
        let request = request.into_inner();
        self.context.alarms.refuse_if_corrupt()?;
        let revision = self.context.store.lease_revoke(request.id).await.map_err(status::from_store)?;
        self.context.metrics.lease.revoked.inc();
        Ok(Response::new(LeaseRevokeResponse { header: Some(self.context.header(revision)) }))
    }

    fn leases(&self, request: &Request<LeaseLeasesRequest>) -> Result<Response<LeaseLeasesResponse>, Status> {
        let permit = self.context.auth.authorize(request, Operation::LeaseLeases)?;
        let leases = self.context.store.leases().into_iter().map(|id| LeaseStatus { id }).collect();
        self.context.auth.confirm(permit)?;
        Ok(Response::new(LeaseLeasesResponse { header: Some(self.context.header_now()), leases }))
    }

    fn time_to_live(
        &self,
        request: &Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let LeaseTimeToLiveRequest { id, keys } = *request.get_ref();
        let permit = self.context.auth.authorize(request, Operation::LeaseTimeToLive { id, keys })?;
        let found = self.context.store.lease_time_to_live(id, keys);
        self.context.auth.confirm(permit)?;
        let header = Some(self.context.header_now());
        let reply = match found {
            Some(lease) => LeaseTimeToLiveResponse {
                header,
                id,
                ttl: lease.remaining_s,
                granted_ttl: lease.granted_s,
                keys: lease.keys,
            },
            None => LeaseTimeToLiveResponse { header, id, ttl: TTL_UNKNOWN, granted_ttl: 0, keys: Vec::new() },
        };
        Ok(Response::new(reply))
    }
}

/// One reply a request: the granted TTL, or 0 if there is no such lease.
async fn keep_alive(
    context: &Context,
    credentials: &Credentials,
    request: LeaseKeepAliveRequest,
) -> Result<LeaseKeepAliveResponse, Status> {
    let _permit = context.auth.authorize_as(credentials, Operation::LeaseKeepAlive { id: request.id })?;
    let ttl = context.store.lease_keep_alive(request.id).await.unwrap_or(0);
    if ttl > 0 {
        context.metrics.lease.renewed.inc();
    }
    Ok(LeaseKeepAliveResponse { header: Some(context.header_now()), id: request.id, ttl })
}

#[tonic::async_trait]
impl Lease for LeaseService {
    type LeaseKeepAliveStream = Pin<Box<dyn Stream<Item = Result<LeaseKeepAliveResponse, Status>> + Send>>;

    async fn lease_grant(&self, request: Request<LeaseGrantRequest>) -> Result<Response<LeaseGrantResponse>, Status> {
        let call = self.context.metrics.calls.lease_grant.start();
        call.end(self.grant(request).await)
    }

    async fn lease_revoke(
        &self,
        request: Request<LeaseRevokeRequest>,
    ) -> Result<Response<LeaseRevokeResponse>, Status> {
        let call = self.context.metrics.calls.lease_revoke.start();
        call.end(self.revoke(request).await)
    }

    async fn lease_keep_alive(
        &self,
        request: Request<Streaming<LeaseKeepAliveRequest>>,
    ) -> Result<Response<Self::LeaseKeepAliveStream>, Status> {
        let call = self.context.metrics.calls.lease_keep_alive.start();
        let (context, credentials) = (self.context.clone(), Credentials::of(&request));
        let replies = request.into_inner().then(move |request| {
            let (context, credentials) = (context.clone(), credentials.clone());
            async move { keep_alive(&context, &credentials, request?).await }
        });
        call.end(Ok(Response::new(Box::pin(replies))))
    }

    async fn lease_time_to_live(
        &self,
        request: Request<LeaseTimeToLiveRequest>,
    ) -> Result<Response<LeaseTimeToLiveResponse>, Status> {
        let call = self.context.metrics.calls.lease_time_to_live.start();
        call.end(self.time_to_live(&request))
    }

    async fn lease_leases(
        &self,
        request: Request<LeaseLeasesRequest>,
    ) -> Result<Response<LeaseLeasesResponse>, Status> {
        let call = self.context.metrics.calls.lease_leases.start();
        call.end(self.leases(&request))
    }
}
