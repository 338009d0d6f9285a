//! Revisions that mean "three before the current one": numbers near a mark far above any real revision. A stream that was
//! shortened for a reproduction still means the same by them.

use super::request::{Request, WatchAction};
use crate::client::wire::{Compare, RangeRequest, RequestOp, compare::TargetUnion, request_op};

/// The current revision.
pub(super) const CURRENT: i64 = 1 << 60;
/// The compacted revision.
pub(super) const COMPACTED: i64 = 1 << 59;
/// Largest distance from a mark.
const NEAR: i64 = 1 << 20;

/// What the marks stand for at one server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Revisions {
    pub(super) current: i64,
    pub(super) compacted: i64,
}

impl Revisions {
    /// An empty store.
    pub(super) const EMPTY: Revisions = Revisions { current: 1, compacted: 0 };

    fn absolute(self, revision: &mut i64) {
        for (mark, meaning) in [(CURRENT, self.current), (COMPACTED, self.compacted)] {
            if revision.abs_diff(mark) < NEAR.unsigned_abs() {
                *revision = meaning + (*revision - mark);
                return;
            }
        }
    }

    fn range(self, request: &mut RangeRequest) {
        for revision in [
            &mut request.revision,
            &mut request.min_mod_revision,
            &mut request.max_mod_revision,
            &mut request.min_create_revision,
            &mut request.max_create_revision,
        ] {
            self.absolute(revision);
        }
    }

    fn compare(self, compare: &mut Compare) {
        if let Some(TargetUnion::CreateRevision(revision) | TargetUnion::ModRevision(revision)) =
            &mut compare.target_union
        {
            self.absolute(revision);
        }
    }

    fn op(self, op: &mut RequestOp) {
        match &mut op.request {
            Some(request_op::Request::RequestRange(range)) => self.range(range),
            Some(request_op::Request::RequestTxn(txn)) => self.txn(txn),
            _ => {}
        }
    }

    fn txn(self, txn: &mut crate::client::wire::TxnRequest) {
        txn.compare.iter_mut().for_each(|compare| self.compare(compare));
        txn.success.iter_mut().chain(&mut txn.failure).for_each(|op| self.op(op));
    }

    /// The request as it is sent.
    pub(super) fn resolve(self, request: &mut Request) {
        match request {
            Request::Range(range) | Request::RangeStream(range) => self.range(range),
            Request::Txn(txn) => self.txn(txn),
            Request::Compact(compact) => self.absolute(&mut compact.revision),
            Request::HashKv(revision) => self.absolute(revision),
            Request::Watch { action: WatchAction::Create(create), .. } => self.absolute(&mut create.start_revision),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_revisions_and_numbers_stay() {
        let revisions = Revisions { current: 100, compacted: 40 };
        let resolved = |revision| {
            let mut request = Request::HashKv(revision);
            revisions.resolve(&mut request);
            request
        };
        assert_eq!(resolved(CURRENT - 3), Request::HashKv(97));
        assert_eq!(resolved(COMPACTED + 1), Request::HashKv(41));
        assert_eq!(resolved(7), Request::HashKv(7));
        assert_eq!(resolved(i64::MAX), Request::HashKv(i64::MAX));
        assert_eq!(resolved(-1), Request::HashKv(-1));
    }
}
