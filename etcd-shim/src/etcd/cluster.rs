//! The Cluster service: one member, this site. Sites are not members of one another; they share namespaces by their own
//! links, so every change of membership is refused in etcd's words (server/etcdserver/api/v3rpc/member.go).

use super::{
    context::Context,
    status::EtcdError,
    wire::{
        Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
        MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest, MemberUpdateResponse,
        cluster_server::Cluster,
    },
};
use tonic::{Request, Response, Status};

/// etcdserverpb.Cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterService {
    context: Context,
}

impl ClusterService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> ClusterService {
        ClusterService { context }
    }

    fn itself(&self) -> Member {
        let member = &self.context.member;
        Member {
            id: member.member_id,
            name: member.name.clone(),
            peer_ur_ls: Vec::new(),
            client_ur_ls: member.client_urls.clone(),
            is_learner: false,
        }
    }

    fn is_itself(&self, id: u64) -> bool {
        id == self.context.member.member_id
    }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    /// A second member never starts, so adding one would stop the cluster: etcd refuses for that reason.
    async fn member_add(&self, request: Request<MemberAddRequest>) -> Result<Response<MemberAddResponse>, Status> {
        let urls = &request.get_ref().peer_ur_ls;
        if urls.is_empty() || urls.iter().any(|url| url.parse::<http::Uri>().is_err()) {
            return Err(EtcdError::MemberBadUrls.into());
        }
        Err(EtcdError::MemberNotEnoughStarted.into())
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        if self.is_itself(request.get_ref().id) {
            return Err(EtcdError::MemberNotEnoughStarted.into());
        }
        Err(EtcdError::MemberNotFound.into())
    }

    /// Peer URLs have no meaning here; updating this member's own changes nothing and succeeds.
    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        if !self.is_itself(request.get_ref().id) {
            return Err(EtcdError::MemberNotFound.into());
        }
        Ok(Response::new(MemberUpdateResponse {
            header: Some(self.context.header_now()),
            members: vec![self.itself()],
        }))
    }

    async fn member_list(&self, _request: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        let call = self.context.metrics.calls.member_list.start();
        let reply = MemberListResponse { header: Some(self.context.header_now()), members: vec![self.itself()] };
        call.end(Ok(Response::new(reply)))
    }

    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        if self.is_itself(request.get_ref().id) {
            return Err(EtcdError::MemberNotLearner.into());
        }
        Err(EtcdError::MemberNotFound.into())
    }
}
