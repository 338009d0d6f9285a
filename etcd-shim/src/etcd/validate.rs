//! What is refused before the store sees it: etcd's checks, in etcd's order
//! (server/etcdserver/api/v3rpc/key.go). Successor on the write path: `convert`.

use super::{
    status::EtcdError,
    wire::{
        DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest,
        range_request::{SortOrder, SortTarget},
        request_op::Request,
    },
};
use bytes::Bytes;
use std::collections::HashSet;

/// Checks a Range.
///
/// # Errors
/// Empty key, unknown sort option.
pub(crate) fn range(request: &RangeRequest) -> Result<(), EtcdError> {
    if request.key.is_empty() {
        return Err(EtcdError::EmptyKey);
    }
    if SortOrder::try_from(request.sort_order).is_err() || SortTarget::try_from(request.sort_target).is_err() {
        return Err(EtcdError::InvalidSortOption);
    }
    Ok(())
}

/// Checks a Put.
///
/// # Errors
/// Empty key; a value or lease beside the flag that says to keep the old one.
pub(crate) fn put(request: &PutRequest) -> Result<(), EtcdError> {
    if request.key.is_empty() {
        return Err(EtcdError::EmptyKey);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(EtcdError::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(EtcdError::LeaseProvided);
    }
    Ok(())
}

/// Checks a DeleteRange.
///
/// # Errors
/// Empty key.
pub(crate) fn delete_range(request: &DeleteRangeRequest) -> Result<(), EtcdError> {
    if request.key.is_empty() { Err(EtcdError::EmptyKey) } else { Ok(()) }
}

/// Checks a transaction whose lists may hold `max_ops` operations each.
///
/// # Errors
/// Too many operations, an operation that is wrong by itself, a key that is written twice.
pub(crate) fn txn(request: &TxnRequest, max_ops: usize) -> Result<(), EtcdError> {
    operations(request, max_ops)?;
    writes(&request.success)?;
    writes(&request.failure)?;
    Ok(())
}

/// Counts and checks the operations; a nested transaction may use what its parent's longest list leaves.
fn operations(request: &TxnRequest, max_ops: usize) -> Result<(), EtcdError> {
    let longest = request.compare.len().max(request.success.len()).max(request.failure.len());
    let rest = max_ops.checked_sub(longest).ok_or(EtcdError::TooManyOps)?;
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(EtcdError::EmptyKey);
    }
    request.success.iter().chain(&request.failure).try_for_each(|op| match &op.request {
        Some(Request::RequestRange(op)) => range(op),
        Some(Request::RequestPut(op)) => put(op),
        Some(Request::RequestDeleteRange(op)) => delete_range(op),
        Some(Request::RequestTxn(op)) => operations(op, rest),
        None => Err(EtcdError::KeyNotFound),
    })
}

/// What a list of operations writes.
#[derive(Default)]
struct Writes<'a> {
    puts: HashSet<&'a Bytes>,
    deletes: Vec<(&'a Bytes, &'a Bytes)>,
}

impl<'a> Writes<'a> {
    /// Notes a put of `key`, unless the key is written already.
    fn put(&mut self, key: &'a Bytes) -> Result<(), EtcdError> {
        let deleted = self.deletes.iter().any(|(start, end)| covers(start, end, key));
        if deleted || !self.puts.insert(key) { Err(EtcdError::DuplicateKey) } else { Ok(()) }
    }
}

/// A put twice, or inside a deleted interval, is refused; deletes may overlap. Both branches of a nested transaction may
/// put the same key, since only one runs (etcd: checkIntervals, whose order of steps decides the odd cases).
/// Cost: puts times deleted intervals, both bounded by the number of operations.
fn writes(ops: &[RequestOp]) -> Result<Writes<'_>, EtcdError> {
    let mut all = Writes::default();
    for op in ops {
        if let Some(Request::RequestDeleteRange(delete)) = &op.request {
            all.deletes.push((&delete.key, &delete.range_end));
        }
    }
    for op in ops {
        if let Some(Request::RequestTxn(nested)) = &op.request {
            let then = writes(&nested.success)?;
            let otherwise = writes(&nested.failure)?;
            for key in &then.puts {
                all.put(key)?;
            }
            for key in otherwise.puts.iter().filter(|key| !then.puts.contains(*key)) {
                all.put(key)?;
            }
            all.deletes.extend(then.deletes);
            all.deletes.extend(otherwise.deletes);
        }
    }
    for op in ops {
        if let Some(Request::RequestPut(put)) = &op.request {
            all.put(&put.key)?;
        }
    }
    Ok(all)
}

/// Is `key` in the interval? An end of one zero byte is an ordinary key here, so "from this key on" covers nothing, as in
/// etcd (checkIntervals gives it to the interval tree as it stands).
fn covers(start: &Bytes, end: &Bytes, key: &Bytes) -> bool {
    if end.is_empty() { key == start } else { key >= start && key < end }
}

#[cfg(test)]
mod tests;
