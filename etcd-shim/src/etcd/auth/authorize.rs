//! The one place that decides. It walks everything that an operation does, also what is nested in it
//! (etcd: server/etcdserver/apply/auth.go, server/etcdserver/v3_server.go, server/etcdserver/api/v3rpc).

use super::{
    account::{Accounts, User},
    operation::Operation,
};
use crate::etcd::{
    status::EtcdError,
    wire::{PutRequest, RequestOp, TxnRequest, request_op::Request},
};
use bytes::Bytes;
use std::sync::Arc;

/// What an empty key of a watch means: the first key.
const FIRST_KEY: &[u8] = &[0];

/// Who asks, as far as the credentials say it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Caller {
    /// The user's name. The user may be gone.
    pub(super) user: Arc<str>,
    /// The auth revision at which the credentials were good; 0 never is.
    pub(super) revision: u64,
}

/// The keys that are attached to leases.
pub(super) trait Leases {
    /// Those of one lease; none if it does not exist.
    fn keys(&self, lease: i64) -> Vec<Bytes>;
    /// Those of all leases.
    fn all_keys(&self) -> Vec<Bytes>;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Access {
    Read,
    Write,
}

/// Accounts, caller and leases: everything that a decision depends on.
#[derive(Clone, Copy)]
pub(super) struct Decision<'a> {
    pub(super) accounts: &'a Accounts,
    pub(super) caller: Option<&'a Caller>,
    pub(super) leases: &'a dyn Leases,
}

impl Decision<'_> {
    /// May the caller do this?
    ///
    /// # Errors
    /// Nobody is named, the credentials are of an older auth revision, or the permission is missing.
    pub(super) fn authorize(self, operation: Operation<'_>) -> Result<(), EtcdError> {
        use Operation as Op;
        if !self.accounts.enabled {
            return Ok(());
        }
        match operation {
            Op::Range(range) => self.keys(&range.key, &range.range_end, Access::Read),
            Op::Put(put) => self.put(put),
            Op::DeleteRange(delete) => self.delete_range(&delete.key, &delete.range_end, delete.prev_kv),
            Op::Txn(txn) => self.txn(txn),
            Op::Watch(watch) if watch.key.is_empty() => {
                self.keys(&Bytes::from_static(FIRST_KEY), &watch.range_end, Access::Read)
            }
            Op::Watch(watch) => self.keys(&watch.key, &watch.range_end, Access::Read),
            Op::LeaseRevoke { id } | Op::LeaseKeepAlive { id } => {
                self.somebody()?;
                self.lease(self.leases.keys(id), Access::Write)
            }
            Op::LeaseTimeToLive { id, keys: true } => {
                self.somebody()?;
                self.lease(self.leases.keys(id), Access::Read)
            }
            Op::LeaseLeases => {
                self.somebody()?;
                self.lease(self.leases.all_keys(), Access::Read)
            }
            Op::LeaseGrant | Op::LeaseTimeToLive { keys: false, .. } | Op::MemberList | Op::Status | Op::AlarmGet => {
                self.somebody()
            }
            Op::AuthStatus => Ok(()),
            Op::UserGet { name } => self.root().or_else(|refusal| self.is_user(name).then_some(()).ok_or(refusal)),
            Op::RoleGet { name } => self.root().or_else(|refusal| self.has_role(name).then_some(()).ok_or(refusal)),
            Op::Compact
            | Op::MemberChange
            | Op::AlarmChange
            | Op::Defragment
            | Op::Hash
            | Op::Snapshot
            | Op::MoveLeader
            | Op::Downgrade
            | Op::AuthAdministration => self.root(),
        }
    }

    /// The old value needs a read permission, and a lease must be one that the caller could also revoke: whoever revokes
    /// it deletes its keys.
    fn put(self, put: &PutRequest) -> Result<(), EtcdError> {
        let single = Bytes::new();
        self.keys(&put.key, &single, Access::Write)?;
        if put.lease != 0 {
            self.lease(self.leases.keys(put.lease), Access::Write)?;
        }
        if put.prev_kv { self.keys(&put.key, &single, Access::Read) } else { Ok(()) }
    }

    fn delete_range(self, key: &Bytes, range_end: &Bytes, prev_kv: bool) -> Result<(), EtcdError> {
        self.keys(key, range_end, Access::Write)?;
        if prev_kv { self.keys(key, range_end, Access::Read) } else { Ok(()) }
    }

    /// Both branches count, whichever will run.
    fn txn(self, txn: &TxnRequest) -> Result<(), EtcdError> {
        // A transaction without any operation reads nothing, and is permitted to anybody, as in etcd.
        for compare in &txn.compare {
            self.keys(&compare.key, &compare.range_end, Access::Read)?;
        }
        txn.success.iter().chain(&txn.failure).try_for_each(|op| self.op(op))
    }

    fn op(self, op: &RequestOp) -> Result<(), EtcdError> {
        match &op.request {
            Some(Request::RequestRange(range)) => self.keys(&range.key, &range.range_end, Access::Read),
            Some(Request::RequestPut(put)) => self.put(put),
            Some(Request::RequestDeleteRange(delete)) => {
                self.delete_range(&delete.key, &delete.range_end, delete.prev_kv)
            }
            Some(Request::RequestTxn(txn)) => self.txn(txn),
            None => Ok(()),
        }
    }

    fn lease(self, keys: Vec<Bytes>, access: Access) -> Result<(), EtcdError> {
        if self.root().is_ok() {
            return Ok(());
        }
        let single = Bytes::new();
        keys.iter().try_for_each(|key| self.keys(key, &single, access))
    }

    fn keys(self, key: &Bytes, range_end: &Bytes, access: Access) -> Result<(), EtcdError> {
        let caller = self.caller.filter(|caller| caller.revision != 0).ok_or(EtcdError::UserEmpty)?;
        if caller.revision < self.accounts.revision {
            return Err(EtcdError::AuthOldRevision);
        }
        let user = self.accounts.users.get(&*caller.user).ok_or(EtcdError::PermissionDenied)?;
        let set = match access {
            Access::Read => &user.read,
            Access::Write => &user.write,
        };
        if user.is_root() || set.contains(key, range_end) { Ok(()) } else { Err(EtcdError::PermissionDenied) }
    }

    /// Credentials that name somebody are enough.
    fn somebody(self) -> Result<(), EtcdError> {
        self.caller.map(|_| ()).ok_or(EtcdError::UserEmpty)
    }

    fn root(self) -> Result<(), EtcdError> {
        let caller = self.caller.filter(|caller| !caller.user.is_empty()).ok_or(EtcdError::UserEmpty)?;
        let user = self.accounts.users.get(&*caller.user).ok_or(EtcdError::UserNotFound)?;
        if user.is_root() { Ok(()) } else { Err(EtcdError::PermissionDenied) }
    }

    fn is_user(self, name: &str) -> bool {
        self.caller.map_or("", |caller| &*caller.user) == name
    }

    fn has_role(self, name: &str) -> bool {
        self.user().is_some_and(|user| user.roles.contains(name))
    }

    fn user(&self) -> Option<&User> {
        self.accounts.users.get(&*self.caller?.user).map(|user| &**user)
    }
}
