//! Comparisons of a Txn (etcd: server/etcdserver/txn/txn.go, applyCompare): pure, against the state before it.

use super::key_value::value_in;
use super::range::versions_at;
use super::request::{Compare, CompareResult, CompareTarget, Op, TxnRequest};
use super::state::State;
use super::version::Version;
use crate::error::RequestError;
use crate::key_range::KeyRange;
use std::cmp::Ordering;

/// Which branches of a transaction run, nested ones included.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Path {
    pub(crate) succeeded: bool,
    /// One for each nested Txn of the branch taken, in order.
    pub(crate) nested: Vec<Path>,
}

impl Path {
    /// Evaluates all comparisons, before anything runs.
    ///
    /// # Errors
    /// A value that is compared cannot be read.
    pub(crate) fn choose(state: &State, txn: &TxnRequest) -> Result<Path, RequestError> {
        let mut succeeded = true;
        for compare in &txn.compare {
            succeeded = succeeded && holds(state, compare)?;
        }
        let nested = branch(txn, succeeded)
            .iter()
            .filter_map(|op| match op {
                Op::Txn(inner) => Some(Path::choose(state, inner)),
                _ => None,
            })
            .collect::<Result<_, _>>()?;
        Ok(Path { succeeded, nested })
    }
}

/// The branch's operations.
pub(crate) fn branch(txn: &TxnRequest, succeeded: bool) -> &[Op] {
    if succeeded { &txn.success } else { &txn.failure }
}

/// True if nothing of either branch can write. A nested Txn counts as a write (etcd: IsTxnReadonly).
pub(crate) fn is_read_only(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).all(|op| matches!(op, Op::Range(_)))
}

/// Whether it may put something.
pub(crate) fn puts(txn: &TxnRequest) -> bool {
    txn.success.iter().chain(&txn.failure).any(|op| match op {
        Op::Put(_) => true,
        Op::Txn(nested) => puts(nested),
        Op::Range(_) | Op::DeleteRange(_) => false,
    })
}

fn holds(state: &State, compare: &Compare) -> Result<bool, RequestError> {
    let range = KeyRange::new(&compare.key, &compare.range_end);
    if range.single().is_some() {
        return holds_for(state, compare, state.get(&compare.key));
    }
    let mut versions = versions_at(state, &range, state.revision).peekable();
    if versions.peek().is_none() {
        return holds_for(state, compare, None);
    }
    for version in versions {
        if !holds_for(state, compare, Some(version))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds_for(state: &State, compare: &Compare, version: Option<&Version>) -> Result<bool, RequestError> {
    let number = |field: fn(&Version) -> i64| version.map_or(0, field);
    let ordering = match &compare.target {
        CompareTarget::Version(operand) => number(Version::number).cmp(operand),
        CompareTarget::Create(operand) => number(Version::create_revision).cmp(operand),
        CompareTarget::Mod(operand) => number(|version| version.revision().main).cmp(operand),
        CompareTarget::Lease(operand) => number(Version::lease).cmp(operand),
        CompareTarget::Value(operand) => match version {
            Some(version) => value_in(&state.values.get(version)?).cmp(operand),
            // An absent key has no value to compare with, whatever the relation.
            None => return Ok(false),
        },
    };
    Ok(match compare.result {
        CompareResult::Equal => ordering == Ordering::Equal,
        CompareResult::NotEqual => ordering != Ordering::Equal,
        CompareResult::Greater => ordering == Ordering::Greater,
        CompareResult::Less => ordering == Ordering::Less,
    })
}

/// Checks what must fail the whole Txn before any of it runs (etcd: txn.go, checkRange and checkPut).
///
/// # Errors
/// A range at a compacted or future revision, a put with an unknown lease, `ignore_*` on an absent key, an empty key.
pub(crate) fn check(
    state: &State,
    txn: &TxnRequest,
    path: &Path,
    lease_exists: &impl Fn(i64) -> bool,
) -> Result<(), RequestError> {
    let mut nested = path.nested.iter();
    for op in branch(txn, path.succeeded) {
        match op {
            Op::Range(range) => {
                non_empty(&range.key)?;
                // Outside of a transaction it would mean the current revision; here etcd compares it like any other.
                if range.revision < 0 && range.revision < state.compact_revision {
                    return Err(RequestError::Compacted { compact_revision: state.compact_revision });
                }
                super::range::readable_revision(state, range.revision)?;
            }
            Op::Put(put) => {
                non_empty(&put.key)?;
                if put.lease != 0 && !lease_exists(put.lease) {
                    return Err(RequestError::LeaseNotFound);
                }
                if (put.ignore_value || put.ignore_lease) && state.get(&put.key).is_none() {
                    return Err(RequestError::KeyNotFound);
                }
            }
            Op::DeleteRange(delete) => non_empty(&delete.key)?,
            Op::Txn(inner) => {
                let path = nested.next().expect("invariant: a path is chosen for each nested transaction");
                check(state, inner, path, lease_exists)?;
            }
        }
    }
    Ok(())
}

fn non_empty(key: &[u8]) -> Result<(), RequestError> {
    if key.is_empty() { Err(RequestError::EmptyKey) } else { Ok(()) }
}
