//! The Maintenance service (etcd: server/etcdserver/api/v3rpc/maintenance.go).

use super::{
    alarm::Alarm,
    context::Context,
    status::{self, EtcdError},
    wire::{
        AlarmMember, AlarmRequest, AlarmResponse, AlarmType, DefragmentRequest, DefragmentResponse, DowngradeInfo,
        HashKvRequest, HashKvResponse, MoveLeaderRequest, MoveLeaderResponse, StatusRequest, StatusResponse,
        alarm_request::AlarmAction, maintenance_server::Maintenance,
    },
};
use crate::config::{ETCD_STORAGE_VERSION, ETCD_VERSION};
use archipel_store::mvcc::RangeRequest;
use bytes::Bytes;
use tonic::{Request, Response, Status};

/// Key and end of the whole keyspace.
const EVERYTHING: &[u8] = &[0];

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
        let header = self.context.header_now();
        let size = self.context.store.size();
        // The log's index is the number of commits; the revision is the closest that clients can compare.
        let index = u64::try_from(header.revision).unwrap_or(1).max(1);
        StatusResponse {
            version: ETCD_VERSION.to_owned(),
            db_size: i64::try_from(size.total_bytes).unwrap_or(i64::MAX),
            leader: self.context.member.member_id,
            raft_index: index,
            raft_term: self.context.raft_term(),
            raft_applied_index: index,
            errors: self.alarm_texts(),
            db_size_in_use: i64::try_from(size.in_use_bytes).unwrap_or(i64::MAX),
            is_learner: false,
            storage_version: ETCD_STORAGE_VERSION.to_owned(),
            db_size_quota: i64::try_from(self.context.alarms.quota_bytes()).unwrap_or(i64::MAX),
            downgrade_info: Some(DowngradeInfo::default()),
            header: Some(header),
        }
    }

    /// As etcdctl prints them: `memberID:N alarm:NOSPACE`.
    fn alarm_texts(&self) -> Vec<String> {
        self.alarm_members()
            .iter()
            .map(|member| format!("memberID:{} alarm:{} ", member.member_id, member.alarm().as_str_name()))
            .collect()
    }

    fn alarm_members(&self) -> Vec<AlarmMember> {
        self.context.alarms.raised().into_iter().map(|alarm| self.alarm_member(alarm)).collect()
    }

    fn alarm_member(&self, alarm: Alarm) -> AlarmMember {
        let kind = match alarm {
            Alarm::NoSpace => AlarmType::Nospace,
            Alarm::Corrupt => AlarmType::Corrupt,
        };
        AlarmMember { member_id: self.context.member.member_id, alarm: kind.into() }
    }

    fn alarm_now(&self, request: &AlarmRequest) -> AlarmResponse {
        let mine = request.member_id == 0 || request.member_id == self.context.member.member_id;
        let kinds: &[Alarm] = match request.alarm() {
            AlarmType::None => &[Alarm::NoSpace, Alarm::Corrupt],
            AlarmType::Nospace => &[Alarm::NoSpace],
            AlarmType::Corrupt => &[Alarm::Corrupt],
        };
        let change = |raised: bool| -> Vec<AlarmMember> {
            let changed = kinds.iter().filter(|kind| mine && self.context.alarms.set(**kind, raised));
            changed.map(|kind| self.alarm_member(*kind)).collect()
        };
        let alarms = match request.action() {
            AlarmAction::Get => {
                let all = self.alarm_members();
                let wanted: Vec<_> = kinds.iter().map(|kind| self.alarm_member(*kind)).collect();
                all.into_iter().filter(|member| mine && wanted.contains(member)).collect()
            }
            AlarmAction::Activate => change(true),
            AlarmAction::Deactivate => change(false),
        };
        AlarmResponse { header: Some(self.context.header_now()), alarms }
    }

    /// A checksum of the versions that are visible at a revision. Two reads of one revision agree, before and after
    /// compactions; it is not comparable with that of another etcd server.
    fn hash_kv_now(&self, requested: i64) -> Result<HashKvResponse, Status> {
        let view = self.context.store.view();
        let hash_revision = if requested == 0 { view.revision() } else { requested };
        let request = RangeRequest {
            key: Bytes::from_static(EVERYTHING),
            range_end: Bytes::from_static(EVERYTHING),
            revision: hash_revision,
            ..RangeRequest::default()
        };
        let reply = view.range(&request).map_err(status::from_store)?;
        let mut hasher = crc32fast::Hasher::new();
        reply.kvs.iter().for_each(|kv| hasher.update(kv));
        Ok(HashKvResponse {
            header: Some(self.context.header(view.revision())),
            hash: hasher.finalize(),
            compact_revision: view.compact_revision(),
            hash_revision,
        })
    }
}

#[tonic::async_trait]
impl Maintenance for MaintenanceService {
    async fn alarm(&self, request: Request<AlarmRequest>) -> Result<Response<AlarmResponse>, Status> {
        let call = self.context.metrics.calls.alarm.start();
        call.end(Ok(Response::new(self.alarm_now(request.get_ref()))))
    }

    async fn status(&self, _request: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let call = self.context.metrics.calls.status.start();
        call.end(Ok(Response::new(self.status_now())))
    }

    /// Segments are cleaned all the time; there is nothing left to do. etcd's reply has no header either.
    async fn defragment(&self, _request: Request<DefragmentRequest>) -> Result<Response<DefragmentResponse>, Status> {
        let call = self.context.metrics.calls.defragment.start();
        call.end(Ok(Response::new(DefragmentResponse { header: None })))
    }

    async fn hash_kv(&self, request: Request<HashKvRequest>) -> Result<Response<HashKvResponse>, Status> {
        let call = self.context.metrics.calls.hash_kv.start();
        call.end(self.hash_kv_now(request.get_ref().revision).map(Response::new))
    }

    /// The only member is the leader; nobody else can become it.
    async fn move_leader(&self, request: Request<MoveLeaderRequest>) -> Result<Response<MoveLeaderResponse>, Status> {
        if request.get_ref().target_id == self.context.member.member_id {
            return Ok(Response::new(MoveLeaderResponse { header: None }));
        }
        Err(EtcdError::BadLeaderTransferee.into())
    }
}
