//! The Cluster service: one member, this site. Sites are not members of one another; they share namespaces by their own
//! links (etcd: server/etcdserver/api/v3rpc/member.go and api/membership/cluster.go).
//!
//! A member that was added never starts: there is no Raft here that it could join. It is kept as a row, listed as
//! unstarted, updated and removed, as etcd does it until the new member's first start, and it has no other effect. In
//! particular, it takes no part in any quorum: where etcd would wait for it, this site goes on.

use super::{
    auth::Operation,
    context::Context,
    status::{self, EtcdError},
    wire::{
        Member, MemberAddRequest, MemberAddResponse, MemberListRequest, MemberListResponse, MemberPromoteRequest,
        MemberPromoteResponse, MemberRemoveRequest, MemberRemoveResponse, MemberUpdateRequest, MemberUpdateResponse,
        ResponseHeader, cluster_server::Cluster,
    },
};
use archipel_store::{error::RequestError, log::Table, sequencer::Commit};
use bytes::Bytes;
use prost::Message;
use std::collections::BTreeMap;
use tonic::{Request, Response, Status};
use uuid::Uuid;

/// Rows of members in the site's table: this prefix, the id (8 bytes). This site has one if its peer URLs were changed.
const ROWS: &[u8] = b"etcd/member/";
/// Learners that may wait (etcd: --max-learners).
const LEARNERS_MAX: usize = 1;

/// etcdserverpb.Cluster.
#[derive(Clone, Debug)]
pub(crate) struct ClusterService {
    context: Context,
}

/// Why a change was refused, by etcd or by the store.
#[derive(Debug)]
enum Refused {
    Rule(EtcdError),
    Store(RequestError),
}

impl From<RequestError> for Refused {
    fn from(error: RequestError) -> Refused {
        Refused::Store(error)
    }
}

impl From<Refused> for Status {
    fn from(refused: Refused) -> Status {
        match refused {
            Refused::Rule(error) => error.into(),
            Refused::Store(error) => status::from_store(error),
        }
    }
}

/// Members by id, as etcd lists them.
type Members = BTreeMap<u64, Member>;

impl ClusterService {
    /// The service over the shared context.
    #[must_use]
    pub(crate) fn new(context: Context) -> ClusterService {
        ClusterService { context }
    }

    /// etcd's headers of this service carry no revision.
    fn header(&self) -> Option<ResponseHeader> {
        Some(self.context.header(0))
    }

    fn listed(&self) -> Vec<Member> {
        self.members(self.context.store.view().rows(Table::Site, ROWS)).into_values().collect()
    }

    /// This site, and the rows.
    fn members(&self, rows: Vec<(Bytes, Bytes)>) -> Members {
        let this = &self.context.member;
        let stored = rows.into_iter().filter_map(|(_, row)| Member::decode(row).ok());
        let mut members: Members = stored.map(|member| (member.id, member)).collect();
        let peer_ur_ls = members.remove(&this.member_id).map_or(this.peer_urls.clone(), |stored| stored.peer_ur_ls);
        let itself = Member {
            id: this.member_id,
            name: this.name.clone(),
            peer_ur_ls,
            client_ur_ls: this.client_urls.clone(),
            is_learner: false,
        };
        members.insert(this.member_id, itself);
        members
    }

    /// Changes the rows under the store's lock, by what `change` makes of the members; it returns the row to write, or
    /// the id of the one to delete.
    async fn change(&self, change: impl FnOnce(&Members) -> Result<Change, EtcdError>) -> Result<Vec<Member>, Status> {
        let commit = |commit: &mut Commit<'_>| {
            let members = self.members(commit.table_scan(Table::Site, ROWS));
            match change(&members).map_err(Refused::Rule)? {
                Change::Put(member) => {
                    let row = member.encode_to_vec();
                    commit.table_put(Table::Site, row_key(member.id), row.into());
                }
                Change::Delete(id) => commit.table_delete(Table::Site, &row_key(id)),
            }
            Ok::<_, Refused>(self.members(commit.table_scan(Table::Site, ROWS)))
        };
        let (members, ticket) = self.context.store.commit(commit)?;
        ticket.await.map_err(status::from_store)?;
        Ok(members.into_values().collect())
    }
}

enum Change {
    Put(Member),
    Delete(u64),
}

fn row_key(id: u64) -> Bytes {
    [ROWS, &id.to_be_bytes()].concat().into()
}

/// etcd's form of a peer URL: scheme, host and port, no path (client/pkg/types/urls.go).
fn is_peer_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.trim().split_once("://") else { return false };
    match scheme {
        "unix" | "unixs" => !rest.is_empty(),
        "http" | "https" => rest.rsplit_once(':').is_some_and(|(host, port)| {
            let bracketed = host.starts_with('[') && host.ends_with(']');
            (bracketed || !host.contains(':')) && port.chars().all(|letter| letter.is_ascii_digit())
        }),
        _ => false,
    }
}

fn use_a_url_of(members: &Members, urls: &[String], except: Option<u64>) -> bool {
    let others = members.values().filter(|member| Some(member.id) != except);
    others.flat_map(|member| &member.peer_ur_ls).any(|url| urls.contains(url))
}

/// A second voting member may be added to the only one; a third not before the second started, which it never does.
fn may_add(members: &Members, learner: bool) -> Result<(), EtcdError> {
    let learners = members.values().filter(|member| member.is_learner).count();
    match learner {
        true if learners >= LEARNERS_MAX => Err(EtcdError::TooManyLearners),
        false if members.len() - learners > 1 => Err(EtcdError::MemberNotEnoughStarted),
        _ => Ok(()),
    }
}

/// Without this site nobody is left who started.
fn may_remove(members: &Members, this: u64, id: u64) -> Result<(), EtcdError> {
    if id == this {
        return Err(EtcdError::MemberNotEnoughStarted);
    }
    if members.contains_key(&id) { Ok(()) } else { Err(EtcdError::MemberNotFound) }
}

#[tonic::async_trait]
impl Cluster for ClusterService {
    async fn member_add(&self, request: Request<MemberAddRequest>) -> Result<Response<MemberAddResponse>, Status> {
        let urls = &request.get_ref().peer_ur_ls;
        if urls.is_empty() || !urls.iter().all(|url| is_peer_url(url)) {
            return Err(EtcdError::MemberBadUrls.into());
        }
        let _permit = self.context.auth.authorize(&request, Operation::MemberChange)?;
        let MemberAddRequest { peer_ur_ls, is_learner } = request.into_inner();
        // A random id: etcd's is a hash of the URLs and the time.
        let id = Uuid::new_v4().as_u64_pair().0.max(1);
        let member = Member { id, peer_ur_ls, is_learner, ..Member::default() };
        let added = member.clone();
        let add = move |members: &Members| {
            // etcd's order: the health of the voters, then the URLs, then the learners.
            if !is_learner {
                may_add(members, false)?;
            }
            if use_a_url_of(members, &added.peer_ur_ls, None) {
                return Err(EtcdError::MemberUrlsExist);
            }
            may_add(members, is_learner)?;
            Ok(Change::Put(added))
        };
        let members = self.change(add).await?;
        Ok(Response::new(MemberAddResponse { header: self.header(), member: Some(member), members }))
    }

    async fn member_remove(
        &self,
        request: Request<MemberRemoveRequest>,
    ) -> Result<Response<MemberRemoveResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::MemberChange)?;
        let id = request.get_ref().id;
        let this = self.context.member.member_id;
        let remove = |members: &Members| may_remove(members, this, id).map(|()| Change::Delete(id));
        let members = self.change(remove).await?;
        Ok(Response::new(MemberRemoveResponse { header: self.header(), members }))
    }

    async fn member_update(
        &self,
        request: Request<MemberUpdateRequest>,
    ) -> Result<Response<MemberUpdateResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::MemberChange)?;
        let MemberUpdateRequest { id, peer_ur_ls } = request.into_inner();
        let update = move |members: &Members| {
            let member = members.get(&id).cloned().ok_or(EtcdError::MemberNotFound)?;
            if use_a_url_of(members, &peer_ur_ls, Some(id)) {
                return Err(EtcdError::MemberUrlsExist);
            }
            Ok(Change::Put(Member { peer_ur_ls, ..member }))
        };
        let members = self.change(update).await?;
        Ok(Response::new(MemberUpdateResponse { header: self.header(), members }))
    }

    async fn member_list(&self, request: Request<MemberListRequest>) -> Result<Response<MemberListResponse>, Status> {
        let call = self.context.metrics.calls.member_list.start();
        let permitted = self.context.auth.authorize(&request, Operation::MemberList);
        let reply = || MemberListResponse { header: self.header(), members: self.listed() };
        call.end(permitted.map(|_| Response::new(reply())).map_err(Status::from))
    }

    /// A learner that never started is never in sync.
    async fn member_promote(
        &self,
        request: Request<MemberPromoteRequest>,
    ) -> Result<Response<MemberPromoteResponse>, Status> {
        let _permit = self.context.auth.authorize(&request, Operation::MemberChange)?;
        let member = self.listed().into_iter().find(|member| member.id == request.get_ref().id);
        Err(Status::from(match member {
            None => EtcdError::MemberNotFound,
            Some(member) if member.id == self.context.member.member_id => EtcdError::MemberNotLearner,
            Some(_) => EtcdError::LearnerNotReady,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(list: &[(u64, bool)]) -> Members {
        let member = |id, is_learner| Member { id, is_learner, ..Member::default() };
        list.iter().map(|(id, learner)| (*id, member(*id, *learner))).collect()
    }

    #[test]
    fn peer_urls_have_a_scheme_a_host_and_a_port() {
        for good in ["http://localhost:123", "https://[::1]:2380", "http://127.0.0.1:0", "unix://peer.sock"] {
            assert!(is_peer_url(good), "{good}");
        }
        for bad in ["localhost:123", "http://localhost", "http://localhost:1/path", "ftp://a:1", "http://::1:2", ""] {
            assert!(!is_peer_url(bad), "{bad}");
        }
    }

    #[test]
    fn one_voter_and_one_learner_may_wait() {
        assert_eq!(may_add(&members(&[(1, false)]), false), Ok(()));
        assert_eq!(may_add(&members(&[(1, false), (2, true)]), false), Ok(()));
        assert_eq!(may_add(&members(&[(1, false), (2, false)]), false), Err(EtcdError::MemberNotEnoughStarted));
        assert_eq!(may_add(&members(&[(1, false), (2, true)]), true), Err(EtcdError::TooManyLearners));
    }

    #[test]
    fn the_site_itself_stays() {
        let two = members(&[(1, false), (2, false)]);
        assert_eq!(may_remove(&two, 1, 1), Err(EtcdError::MemberNotEnoughStarted));
        assert_eq!(may_remove(&two, 1, 2), Ok(()));
        assert_eq!(may_remove(&two, 1, 3), Err(EtcdError::MemberNotFound));
    }
}
