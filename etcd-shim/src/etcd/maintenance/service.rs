//! The methods.

use super::{downgrade, hash};
use crate::snapshot;
use crate::{
    config::{ETCD_CLUSTER_SERIES, ETCD_STORAGE_VERSION, ETCD_VERSION},
    etcd::{
        alarm::{Alarm, Raised},
        auth::Operation,
        context::Context,
        status::{self, EtcdError},
        wire::{
            AlarmMember, AlarmRequest, AlarmResponse, AlarmType, DefragmentRequest, DefragmentResponse, DowngradeInfo,
            DowngradeRequest, DowngradeResponse, HashKvRequest, HashKvResponse, HashRequest, HashResponse,
            MoveLeaderRequest, MoveLeaderResponse, SnapshotRequest, SnapshotResponse, StatusRequest, StatusResponse,
            alarm_request::AlarmAction, downgrade_request::DowngradeAction, maintenance_server::Maintenance,
        },
    },
};
use archipel_store::error::RequestError;
use std::pin::Pin;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

/// etcdserverpb.Maintenance.
#[derive(Clone, Debug)]
pub(crate) struct MaintenanceService {
    context: Context,
}

impl MaintenanceService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> MaintenanceService {
        MaintenanceService { context }
    }

    fn status_now(&self) -> StatusResponse {
        let view = self.context.store.view();
        let header = self.context.header(view.revision());
        let size = self.context.store.size();
        // The log's index is the number of commits; the revision is the closest that clients can compare.
        let index = u64::try_from(header.revision).unwrap_or(1).max(1);
        let target = downgrade::target(&view);
        StatusResponse {
            version: ETCD_VERSION.to_owned(),
            db_size: i64::try_from(size.total_bytes).unwrap_or(i64::MAX),
            leader: self.context.member.member_id,
            raft_index: index,
            raft_term: self.context.raft_term(),
            raft_applied_index: index,
            errors: self.raised(None).iter().map(alarm_text).collect(),
            db_size_in_use: i64::try_from(size.in_use_bytes).unwrap_or(i64::MAX),
            is_learner: false,
            storage_version: ETCD_STORAGE_VERSION.to_owned(),
            db_size_quota: i64::try_from(self.context.alarms.quota_bytes()).unwrap_or(i64::MAX),
            downgrade_info: Some(DowngradeInfo {
                enabled: target.is_some(),
                target_version: target.unwrap_or_default(),
            }),
            header: Some(header),
        }
    }

    /// The alarms of a kind, or all.
    fn raised(&self, kind: Option<Alarm>) -> Vec<AlarmMember> {
        let all = self.context.alarms.raised(&self.context.store).into_iter();
        all.filter(|raised| kind.is_none_or(|kind| kind == raised.alarm)).map(alarm_member).collect()
    }

    /// As etcd, GET looks at no member, and a change without a kind changes nothing
    /// (server/etcdserver/apply/backend.go).
    async fn alarm_now(&self, request: Request<AlarmRequest>) -> Result<AlarmResponse, Status> {
        let operation = match request.get_ref().action() {
            AlarmAction::Get => Operation::AlarmGet,
            AlarmAction::Activate | AlarmAction::Deactivate => Operation::AlarmChange,
        };
        let _permit = self.context.auth.authorize(&request, operation)?;
        let request = request.into_inner();
        let (alarms, store) = (&self.context.alarms, &self.context.store);
        let raised = kind_of(request.alarm()).map(|alarm| Raised { alarm, member_id: request.member_id });
        let changed = match (request.action(), raised) {
            (AlarmAction::Get, _) => self.raised(kind_of(request.alarm())),
            (AlarmAction::Activate, Some(raised)) => {
                alarms.raise(store, raised).await.map_err(status::from_store)?;
                vec![alarm_member(raised)]
            }
            (AlarmAction::Deactivate, Some(raised)) => {
                let was = alarms.disarm(store, raised).await.map_err(status::from_store)?;
                if was { vec![alarm_member(raised)] } else { Vec::new() }
            }
            (AlarmAction::Activate | AlarmAction::Deactivate, None) => Vec::new(),
        };
        Ok(AlarmResponse { header: Some(self.context.header_now()), alarms: changed })
    }

    async fn defragment_now(&self, request: &Request<DefragmentRequest>) -> Result<DefragmentResponse, Status> {
        let _permit = self.context.auth.authorize(request, Operation::Defragment)?;
        let store = self.context.store.clone();
        blocking(move || store.maintain()).await?;
        Ok(DefragmentResponse { header: None })
    }

    async fn hash_kv_now(&self, request: &Request<HashKvRequest>) -> Result<HashKvResponse, Status> {
        let _permit = self.context.auth.authorize(request, Operation::Hash)?;
        let requested = request.get_ref().revision;
        let view = self.context.store.view();
        let (revision, compact_revision) = (view.revision(), view.compact_revision());
        let hash = blocking(move || hash::at(&view, requested)).await?;
        Ok(HashKvResponse {
            header: Some(self.context.header(revision)),
            hash,
            compact_revision,
            hash_revision: if requested == 0 { revision } else { requested },
        })
    }

    async fn hash_now(&self) -> Result<HashResponse, Status> {
        let view = self.context.store.view();
        let revision = view.revision();
        let hash = blocking(move || hash::at(&view, 0)).await?;
        Ok(HashResponse { header: Some(self.context.header(revision)), hash })
    }

    async fn downgrade_now(&self, request: DowngradeRequest) -> Result<DowngradeResponse, Status> {
        let store = &self.context.store;
        match request.action() {
            DowngradeAction::Validate => drop(downgrade::validate(&store.view(), &request.version)?),
            DowngradeAction::Enable => downgrade::enable(store, &request.version).await?,
            DowngradeAction::Cancel => downgrade::cancel(store).await?,
        }
        Ok(DowngradeResponse { header: Some(self.context.header_now()), version: ETCD_CLUSTER_SERIES.to_owned() })
    }
}

/// Runs what reads or writes much beside the runtime that serves requests.
async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, RequestError> + Send + 'static,
) -> Result<R, Status> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(status::from_store),
        Err(error) => Err(Status::internal(format!("archipel: {error}"))),
    }
}

fn kind_of(alarm: AlarmType) -> Option<Alarm> {
    match alarm {
        AlarmType::None => None,
        AlarmType::Nospace => Some(Alarm::NoSpace),
        AlarmType::Corrupt => Some(Alarm::Corrupt),
    }
}

fn alarm_member(raised: Raised) -> AlarmMember {
    let kind = match raised.alarm {
        Alarm::NoSpace => AlarmType::Nospace,
        Alarm::Corrupt => AlarmType::Corrupt,
    };
    AlarmMember { member_id: raised.member_id, alarm: kind.into() }
}

/// As etcdctl prints them: `memberID:N alarm:NOSPACE`.
fn alarm_text(member: &AlarmMember) -> String {
    format!("memberID:{} alarm:{}", member.member_id, member.alarm().as_str_name())
}

#[tonic::async_trait]
impl Maintenance for MaintenanceService {
    type SnapshotStream = Pin<Box<dyn Stream<Item = Result<SnapshotResponse, Status>> + Send>>;

    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        let call = self.context.metrics.calls.alarm.start();
        call.end(self.alarm_now(request).await.map(Response::new))
    }

    async fn status(&self, request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let call = self.context.metrics.calls.status.start();
        let permitted = self.context.auth.authorize(&request, Operation::Status);
        call.end(permitted.map(|_| Response::new(self.status_now())).map_err(Status::from))
    }

    /// Removes what compaction hides, makes a checkpoint and cleans segments: what maintenance does when it is due, now.
    /// etcd's reply has no header either.
    async fn defragment(&self, request: Request<DefragmentRequest>) -> Result<Response<DefragmentResponse>, Status> {
        let call = self.context.metrics.calls.defragment.start();
        call.end(self.defragment_now(&request).await.map(Response::new))
    }

    async fn hash(&self, request: Request<HashRequest>) -> Result<Response<HashResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::Hash)?;
        self.hash_now().await.map(Response::new)
    }

    async fn hash_kv(&self, request: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        let call = self.context.metrics.calls.hash_kv.start();
        call.end(self.hash_kv_now(&request).await.map(Response::new))
    }

    async fn snapshot(&self, request: Request<SnapshotRequest>) -> Result<Response<Self::SnapshotStream>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::Snapshot)?;
        // As etcd's, the replies have no header.
        let reply = |chunk: snapshot::Chunk| SnapshotResponse {
            header: None,
            remaining_bytes: chunk.remaining_bytes,
            blob: chunk.blob,
            version: ETCD_STORAGE_VERSION.to_owned(),
        };
        let chunks = snapshot::start(&self.context.store);
        Ok(Response::new(Box::pin(chunks.map(move |chunk| chunk.map(reply).map_err(status::from_store)))))
    }

    /// The only member is the leader; nobody else can become it.
    async fn move_leader(&self, request: Request<MoveLeaderRequest>) -> Result<Response<MoveLeaderResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::MoveLeader)?;
        if request.get_ref().target_id == self.context.member.member_id {
            return Ok(Response::new(MoveLeaderResponse { header: None }));
        }
        Err(EtcdError::BadLeaderTransferee.into())
    }

    async fn downgrade(&self, request: Request<DowngradeRequest>) -> Result<Response<DowngradeResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::Downgrade)?;
        self.downgrade_now(request.into_inner()).await.map(Response::new)
    }
}
