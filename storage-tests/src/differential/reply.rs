//! What a server answered, without what may differ by nature: ids of cluster and member, terms, sizes.

use super::watch::StreamReply;
use crate::client::wire::{
    CompactionResponse, DeleteRangeResponse, HashKvResponse, LeaseGrantResponse, LeaseKeepAliveResponse,
    LeaseLeasesResponse, LeaseRevokeResponse, LeaseTimeToLiveResponse, PutResponse, RangeResponse, ResponseHeader,
    StatusResponse, TxnResponse,
};
use bytes::Bytes;
use tonic::{Code, Status};

/// See the module.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Reply {
    Error {
        code: Code,
        text: String,
    },
    Range(RangeResponse),
    /// The chunks as one response, and how many keys each had.
    RangeStream {
        whole: RangeResponse,
        chunk_keys: Vec<usize>,
    },
    Put(PutResponse),
    DeleteRange(DeleteRangeResponse),
    Txn(TxnResponse),
    Compact(CompactionResponse),
    LeaseGrant(LeaseGrantResponse),
    LeaseRevoke(LeaseRevokeResponse),
    LeaseTimeToLive(LeaseTimeToLiveResponse),
    LeaseLeases(LeaseLeasesResponse),
    LeaseKeepAlive(Vec<LeaseKeepAliveResponse>),
    Status(Box<StatusResponse>),
    HashKv(HashKvResponse),
    Raw(Bytes),
    Watch(StreamReply),
}

impl Reply {
    pub(super) fn error(status: &Status) -> Reply {
        Reply::Error { code: status.code(), text: status.message().to_owned() }
    }

    /// Takes out what differs by nature. Ids that must not be zero become 1, so a zero still shows.
    pub(super) fn normalise(&mut self) {
        if let Some(header) = self.header_mut() {
            plain(header);
        }
        match self {
            Reply::LeaseTimeToLive(reply) => reply.keys.sort_unstable(),
            Reply::LeaseLeases(reply) => reply.leases.sort_unstable_by_key(|lease| lease.id),
            Reply::LeaseKeepAlive(replies) => {
                replies.iter_mut().filter_map(|reply| reply.header.as_mut()).for_each(plain);
            }
            Reply::Status(reply) => {
                let right = reply.raft_index >= reply.raft_applied_index && reply.leader != 0;
                let in_use = reply.db_size_in_use <= reply.db_size;
                **reply = StatusResponse {
                    raft_index: u64::from(right),
                    raft_applied_index: reply.raft_applied_index.min(1),
                    raft_term: reply.raft_term.min(1),
                    leader: reply.leader.min(1),
                    db_size: reply.db_size.clamp(0, 1),
                    db_size_in_use: i64::from(in_use),
                    ..std::mem::take(reply.as_mut())
                };
            }
            Reply::HashKv(reply) => reply.hash = 0,
            _ => {}
        }
    }

    /// The header at the top.
    pub(super) fn header_mut(&mut self) -> Option<&mut ResponseHeader> {
        match self {
            Reply::Range(reply) => reply.header.as_mut(),
            Reply::RangeStream { whole, .. } => whole.header.as_mut(),
            Reply::Put(reply) => reply.header.as_mut(),
            Reply::DeleteRange(reply) => reply.header.as_mut(),
            Reply::Txn(reply) => reply.header.as_mut(),
            Reply::Compact(reply) => reply.header.as_mut(),
            Reply::LeaseGrant(reply) => reply.header.as_mut(),
            Reply::LeaseRevoke(reply) => reply.header.as_mut(),
            Reply::LeaseTimeToLive(reply) => reply.header.as_mut(),
            Reply::LeaseLeases(reply) => reply.header.as_mut(),
            Reply::Status(reply) => reply.header.as_mut(),
            Reply::HashKv(reply) => reply.header.as_mut(),
            Reply::Error { .. } | Reply::LeaseKeepAlive(_) | Reply::Raw(_) | Reply::Watch(_) => None,
        }
    }
}

fn plain(header: &mut ResponseHeader) {
    header.cluster_id = header.cluster_id.min(1);
    header.member_id = header.member_id.min(1);
    header.raft_term = header.raft_term.min(1);
}
