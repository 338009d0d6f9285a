//! etcd's write requests on a [`Commit`] (etcd: server/etcdserver/txn). Predecessor: `Store`; successor: `commit`.

use super::Commit;
use crate::error::RequestError;
use crate::key_range::KeyRange;
use crate::mvcc::{
    self, DeleteRangeReply, DeleteRangeRequest, Op, OpReply, Path, PutReply, PutRequest, TxnReply, TxnRequest,
};
use crate::planted::{Bug, is_planted};

/// # Errors
/// Empty key, unknown lease, or `ignore_*` on an absent key.
pub(crate) fn put(commit: &mut Commit<'_>, request: &PutRequest) -> Result<PutReply, RequestError> {
    if request.lease != 0 && !commit.lease_exists(request.lease) {
        return Err(RequestError::LeaseNotFound);
    }
    if !(request.prev_kv || request.ignore_value || request.ignore_lease) {
        commit.put(&request.key, &request.value, request.lease)?;
        return Ok(PutReply::default());
    }
    let kept_lease = match commit.state().get(&request.key) {
        Some(previous) => previous.lease(),
        None if request.ignore_value || request.ignore_lease => return Err(RequestError::KeyNotFound),
        None => 0,
    };
    // The former value is read only for those who ask for it: it may be on the disk.
    let previous = if request.prev_kv || request.ignore_value { commit.get(&request.key)? } else { None };
    let kept_value = previous.as_deref().filter(|_| request.ignore_value).map(mvcc::value_in);
    let lease = if request.ignore_lease { kept_lease } else { request.lease };
    commit.put(&request.key, kept_value.unwrap_or(&request.value), lease)?;
    Ok(PutReply { prev_kv: previous.filter(|_| request.prev_kv) })
}

/// # Errors
/// Empty key.
pub(crate) fn delete_range(
    commit: &mut Commit<'_>,
    request: &DeleteRangeRequest,
) -> Result<DeleteRangeReply, RequestError> {
    if request.key.is_empty() {
        return Err(RequestError::EmptyKey);
    }
    let range = KeyRange::new(&request.key, &request.range_end);
    let (start, end) = range.bounds();
    let state = commit.state();
    let live = || state.by_key.range(start, end).filter_map(|newest| newest.live());
    let prev_kvs = if request.prev_kv { state.values.get_all(live())? } else { Vec::new() };
    let deleted: Vec<_> = live().cloned().collect();
    for version in &deleted {
        commit.delete(version.key());
    }
    Ok(DeleteRangeReply { deleted: deleted.len() as i64, prev_kvs })
}

/// All comparisons, nested ones included, see the state before; so do the checks that refuse the whole. Then the
/// operations run in order and see what earlier ones did.
///
/// # Errors
/// What the checks found. Nothing ran then.
pub(crate) fn txn(commit: &mut Commit<'_>, request: &TxnRequest) -> Result<TxnReply, RequestError> {
    let path = Path::choose(commit.state(), request)?;
    mvcc::check(commit.state(), request, &path, &|id| commit.lease_exists(id))?;
    run(commit, request, &path)
}

fn run(commit: &mut Commit<'_>, request: &TxnRequest, path: &Path) -> Result<TxnReply, RequestError> {
    let mut nested = path.nested.iter();
    let mut replies = Vec::new();
    for op in mvcc::branch(request, path.succeeded) {
        if is_planted(Bug::TxnOverTwoRevisions) {
            commit.begin_revision();
        }
        let reply = match op {
            Op::Range(range) => OpReply::Range(commit.range(range)?),
            Op::Put(request) => OpReply::Put(put(commit, request)?),
            Op::DeleteRange(request) => OpReply::DeleteRange(delete_range(commit, request)?),
            Op::Txn(inner) => {
                let path = nested.next().expect("invariant: a path is chosen for each nested transaction");
                OpReply::Txn(run(commit, inner, path)?)
            }
        };
        replies.push((commit.revision(), reply));
    }
    Ok(TxnReply { succeeded: path.succeeded, replies })
}

/// Deletes the keys of a lease and its row, in key order.
///
/// # Errors
/// The lease does not exist.
pub(crate) fn revoke(commit: &mut Commit<'_>, id: i64) -> Result<(), RequestError> {
    if !commit.lease_exists(id) {
        return Err(RequestError::LeaseNotFound);
    }
    for key in commit.state().keys_of_lease(id) {
        commit.delete(&key);
    }
    commit.table_delete(crate::log::Table::Lease, &crate::lease::row_key(id));
    Ok(())
}

/// # Errors
/// Compacted at or above it already, or in the future.
pub(crate) fn compact(commit: &mut Commit<'_>, revision: i64) -> Result<(), RequestError> {
    let (current_revision, compact_revision) = (commit.revision(), commit.compact_revision());
    if revision <= compact_revision {
        return Err(RequestError::Compacted { compact_revision });
    }
    if revision > current_revision {
        return Err(RequestError::FutureRevision { current_revision });
    }
    commit.compact(revision);
    Ok(())
}

/// Everything of a read-only Txn on one state.
///
/// # Errors
/// As [`txn`].
pub(crate) fn read_only_txn(state: &mvcc::State, request: &TxnRequest) -> Result<TxnReply, RequestError> {
    let path = Path::choose(state, request)?;
    mvcc::check(state, request, &path, &|_| false)?;
    let replies = mvcc::branch(request, path.succeeded).iter().filter_map(|op| match op {
        Op::Range(range) => Some(mvcc::range(state, range).map(|reply| (state.revision, OpReply::Range(reply)))),
        _ => None,
    });
    Ok(TxnReply { succeeded: path.succeeded, replies: replies.collect::<Result<_, _>>()? })
}
