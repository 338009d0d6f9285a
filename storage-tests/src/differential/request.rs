//! What is asked. Revisions in these messages may be relative; see `relative`.

use crate::client::wire::{
    CompactionRequest, DeleteRangeRequest, LeaseGrantRequest, LeaseRevokeRequest, LeaseTimeToLiveRequest, PutRequest,
    RangeRequest, TxnRequest, WatchCreateRequest,
};
use bytes::Bytes;

/// One request, or one short exchange that belongs together.
#[derive(Clone, PartialEq, Debug)]
#[allow(missing_docs)]
pub enum Request {
    Range(RangeRequest),
    RangeStream(RangeRequest),
    Put(PutRequest),
    DeleteRange(DeleteRangeRequest),
    Txn(TxnRequest),
    Compact(CompactionRequest),
    /// With id 0 the server chooses one, and the lease is revoked at once.
    LeaseGrant(LeaseGrantRequest),
    LeaseRevoke(LeaseRevokeRequest),
    LeaseTimeToLive(LeaseTimeToLiveRequest),
    LeaseLeases,
    /// One stream with a request for each id.
    LeaseKeepAlive(Vec<i64>),
    Status,
    HashKv(i64),
    /// These bytes as the message of a unary call.
    Raw {
        path: &'static str,
        body: Bytes,
    },
    /// Something on one of the watch streams that stay open over the run.
    Watch {
        slot: usize,
        action: WatchAction,
    },
}

/// What happens on a watch stream.
#[derive(Clone, PartialEq, Debug)]
pub enum WatchAction {
    /// A new stream, in place of the one before.
    Open,
    /// A watch, and its `created` response.
    Create(WatchCreateRequest),
    /// All events so far, then a cancel, and its response if the id is known.
    Cancel(i64),
    /// Progress of the whole stream.
    Progress,
    /// All events so far; then the client closes its half, and everything that came is the reply.
    Close,
}

impl Request {
    /// The name that `explained` knows it by.
    #[must_use]
    pub fn method(&self) -> &'static str {
        match self {
            Request::Range(_) => "Range",
            Request::RangeStream(_) => "RangeStream",
            Request::Put(_) => "Put",
            Request::DeleteRange(_) => "DeleteRange",
            Request::Txn(_) => "Txn",
            Request::Compact(_) => "Compact",
            Request::LeaseGrant(_) => "LeaseGrant",
            Request::LeaseRevoke(_) => "LeaseRevoke",
            Request::LeaseTimeToLive(_) => "LeaseTimeToLive",
            Request::LeaseLeases => "LeaseLeases",
            Request::LeaseKeepAlive(_) => "LeaseKeepAlive",
            Request::Status => "Status",
            Request::HashKv(_) => "HashKV",
            Request::Raw { .. } => "Raw",
            Request::Watch { .. } => "Watch",
        }
    }

    /// Requests that change nothing may be under way together: their order cannot show.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        match self {
            Request::Range(_)
            | Request::RangeStream(_)
            | Request::LeaseTimeToLive(_)
            | Request::LeaseLeases
            | Request::Status
            | Request::HashKv(_) => true,
            Request::Put(_)
            | Request::DeleteRange(_)
            | Request::Txn(_)
            | Request::Compact(_)
            | Request::LeaseGrant(_)
            | Request::LeaseRevoke(_)
            | Request::LeaseKeepAlive(_)
            | Request::Raw { .. }
            | Request::Watch { .. } => false,
        }
    }
}

/// Requests that are under way at the same time: one, or several that only read.
pub type Step = Vec<Request>;
