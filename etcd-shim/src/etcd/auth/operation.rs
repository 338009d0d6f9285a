//! Every operation of the etcd interface, as far as permissions look at it. A method that is not here cannot be
//! authorized, so a service cannot forget to decide.

use crate::etcd::wire::{DeleteRangeRequest, PutRequest, RangeRequest, TxnRequest, WatchCreateRequest};

/// What a caller wants to do.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Operation<'a> {
    /// Also RangeStream.
    Range(&'a RangeRequest),
    Put(&'a PutRequest),
    DeleteRange(&'a DeleteRangeRequest),
    Txn(&'a TxnRequest),
    Compact,
    Watch(&'a WatchCreateRequest),
    LeaseGrant,
    LeaseRevoke {
        id: i64,
    },
    LeaseKeepAlive {
        id: i64,
    },
    /// `keys`: the reply names the keys of the lease.
    LeaseTimeToLive {
        id: i64,
        keys: bool,
    },
    LeaseLeases,
    MemberList,
    /// Add, remove, update, promote.
    MemberChange,
    Status,
    /// Reads the alarms.
    AlarmGet,
    /// Raises or disarms one.
    AlarmChange,
    Defragment,
    /// Hash and HashKV.
    Hash,
    Snapshot,
    MoveLeader,
    Downgrade,
    AuthStatus,
    UserGet {
        name: &'a str,
    },
    RoleGet {
        name: &'a str,
    },
    /// Every other method of Auth except Authenticate, which is how a caller gets a token.
    AuthAdministration,
}
