//! The store's door: what `etcd-shim` calls. Successor on the write path: `sequencer`.

use crate::config::Config;
use crate::error::{OpenError, RequestError};
use crate::lease::LeaseInfo;
use crate::mvcc::{
    DeleteRangeReply, DeleteRangeRequest, PutReply, PutRequest, RangeReply, RangeRequest, TxnReply, TxnRequest,
};
use crate::sequencer::{Commit, Emit, Ticket};
use crate::view::View;
use crate::watch::{WatchRequest, Watcher};
use std::sync::Arc;

/// One site's store. Clones share it; [`Store::close`] ends its threads.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {}

/// Bytes of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// The commit log on disk, recycled segments included.
    pub total_bytes: u64,
    /// Live and uncompacted versions and table rows.
    pub in_use_bytes: u64,
    /// Live keys.
    pub keys: u64,
}

impl Store {
    /// Opens or makes the store on the real disk. Blocks until recovery is done; starts the store's threads.
    ///
    /// # Errors
    /// The directory cannot be used, or the log is damaged before its end.
    pub fn open(_config: Config) -> Result<Store, OpenError> {
        todo!()
    }

    /// Installs what turns local writes into entries of shares. Once, before the first request.
    pub fn set_emit(&self, _emit: Box<dyn Emit>) {
        todo!()
    }

    /// Ends the store: the last batch is synced, a checkpoint made, threads are joined. Later requests are refused.
    pub async fn close(&self) {
        todo!()
    }

    /// The published revision: all up to it is durable.
    pub fn revision(&self) -> i64 {
        todo!()
    }

    /// The published compact revision; -1 = nothing compacted.
    pub fn compact_revision(&self) -> i64 {
        todo!()
    }

    /// Pins the published state.
    pub fn view(&self) -> View {
        let _ = &self.0;
        todo!()
    }

    /// Evaluates a Range on the published state; the header's revision comes with it.
    ///
    /// # Errors
    /// As [`View::range`].
    pub fn range(&self, _request: &RangeRequest) -> Result<(i64, RangeReply), RequestError> {
        todo!()
    }

    /// Puts; resolves when durable and published.
    ///
    /// # Errors
    /// See [`RequestError`]; the store is then as it was.
    pub async fn put(&self, _request: PutRequest) -> Result<(i64, PutReply), RequestError> {
        todo!()
    }

    /// Deletes; resolves when durable and published.
    ///
    /// # Errors
    /// See [`RequestError`]; the store is then as it was.
    pub async fn delete_range(&self, _request: DeleteRangeRequest) -> Result<(i64, DeleteRangeReply), RequestError> {
        todo!()
    }

    /// Runs a transaction; resolves when what it wrote, and what it read, is durable and published. Limits on the
    /// number of operations and duplicate keys are the caller's check.
    ///
    /// # Errors
    /// See [`RequestError`]; the store is then as it was.
    pub async fn txn(&self, _request: TxnRequest) -> Result<(i64, TxnReply), RequestError> {
        todo!()
    }

    /// Compacts at `revision`. Returns the store's revision once the mark is durable; with `physical`, once the data
    /// is gone from memory too.
    ///
    /// # Errors
    /// Compacted already, or a future revision.
    pub async fn compact(&self, _revision: i64, _physical: bool) -> Result<i64, RequestError> {
        todo!()
    }

    /// Grants a lease: (header revision, id, granted TTL in seconds). Id 0 = choose one.
    ///
    /// # Errors
    /// The id is in use, or the TTL is too large.
    pub async fn lease_grant(&self, _id: i64, _ttl_s: i64) -> Result<(i64, i64, i64), RequestError> {
        todo!()
    }

    /// Revokes a lease and deletes its keys in one revision; returns the header's revision.
    ///
    /// # Errors
    /// The lease does not exist.
    pub async fn lease_revoke(&self, _id: i64) -> Result<i64, RequestError> {
        todo!()
    }

    /// Renews a lease and returns its granted TTL in seconds; None if it is unknown or expired.
    pub async fn lease_keep_alive(&self, _id: i64) -> Option<i64> {
        todo!()
    }

    /// What is left of a lease, and its keys if asked for; None if it is unknown.
    pub fn lease_time_to_live(&self, _id: i64, _keys: bool) -> Option<LeaseInfo> {
        todo!()
    }

    /// All lease ids.
    pub fn leases(&self) -> Vec<i64> {
        todo!()
    }

    /// Starts a watcher on the published state. The range may be empty or reversed; it then sees nothing.
    pub fn watch(&self, _request: WatchRequest) -> Watcher {
        todo!()
    }

    /// The published revision as a channel that changes at most once a batch. Also changes when only the compact
    /// revision did.
    pub fn published(&self) -> tokio::sync::watch::Receiver<i64> {
        todo!()
    }

    /// Bytes and keys.
    pub fn size(&self) -> Sizes {
        todo!()
    }

    /// The sequencer's door for table writes and remote changes: `f` runs under the lock. The emit seam does not see
    /// what it changes. Err, from `f` or from the sequencer, means that nothing happened.
    ///
    /// # Errors
    /// What `f` returns; [`RequestError::Stopped`] and [`RequestError::TooManyRequests`] from the sequencer.
    pub fn commit<R, E: From<RequestError>>(
        &self,
        _f: impl FnOnce(&mut Commit<'_>) -> Result<R, E>,
    ) -> Result<(R, Ticket), E> {
        todo!()
    }

    /// Revokes leases whose time is over; returns how many. The expiry thread calls it.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub fn expire_leases(&self) -> Result<usize, RequestError> {
        todo!()
    }

    /// One round of physical compaction, checkpoint and cleaning. The maintenance thread calls it.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub fn maintain(&self) -> Result<(), RequestError> {
        todo!()
    }
}
