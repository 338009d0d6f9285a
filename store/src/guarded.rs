//! What a client's request does to the keys, as long as what permitted it still holds. Predecessor: `Store`; successor:
//! `sequencer`.
//!
//! Who may do what is decided before a request enters the sequencer, and may change on the way. So the decision is looked
//! at once more under the sequencer's lock: a change that was acknowledged before is seen there.

use crate::error::RequestError;
use crate::mvcc::{
    DeleteRangeReply, DeleteRangeRequest, PutReply, PutRequest, TxnReply, TxnRequest, is_read_only, puts,
};
use crate::sequencer::{self, Commit};
use crate::store::Store;

/// See [`Store::only_if`].
#[derive(Debug)]
pub struct Guarded<'a, G> {
    store: &'a Store,
    holds: G,
}

impl<'a, G: FnOnce() -> bool> Guarded<'a, G> {
    pub(crate) fn new(store: &'a Store, holds: G) -> Self {
        Guarded { store, holds }
    }

    /// As [`Store::put`].
    ///
    /// # Errors
    /// [`RequestError::Overtaken`], and those of [`Store::put`]; the store is then as it was.
    pub async fn put(self, request: PutRequest) -> Result<(i64, PutReply), RequestError> {
        self.store.admit_growth()?;
        self.write(|commit| sequencer::put(commit, &request)).await
    }

    /// As [`Store::delete_range`].
    ///
    /// # Errors
    /// [`RequestError::Overtaken`], and those of [`Store::delete_range`]; the store is then as it was.
    pub async fn delete_range(self, request: DeleteRangeRequest) -> Result<(i64, DeleteRangeReply), RequestError> {
        self.write(|commit| sequencer::delete_range(commit, &request)).await
    }

    /// As [`Store::txn`].
    ///
    /// # Errors
    /// [`RequestError::Overtaken`], and those of [`Store::txn`]; the store is then as it was.
    pub async fn txn(self, request: TxnRequest) -> Result<(i64, TxnReply), RequestError> {
        if is_read_only(&request) {
            let state = self.store.sequencer().publication().load();
            let reply = sequencer::read_only_txn(&state, &request)?;
            // After the read: what was read may be shown then.
            return if (self.holds)() { Ok((state.revision, reply)) } else { Err(RequestError::Overtaken) };
        }
        if puts(&request) {
            self.store.admit_growth()?;
        }
        self.write(|commit| sequencer::txn(commit, &request)).await
    }

    /// The header's revision comes with the reply.
    async fn write<R>(
        self,
        change: impl FnOnce(&mut Commit<'_>) -> Result<R, RequestError>,
    ) -> Result<(i64, R), RequestError> {
        let Guarded { store, holds } = self;
        let change = |commit: &mut Commit<'_>| {
            if !holds() {
                return Err(RequestError::Overtaken);
            }
            let reply = change(commit)?;
            Ok((commit.revision(), reply))
        };
        let (reply, ticket) = store.sequencer().commit_in_turn(true, change).await?;
        ticket.await?;
        Ok(reply)
    }
}
