//! A client's write of shared keys becomes one entry, inside the record of the write (rules M8, M9).
//! Predecessor: `sequencer`, which calls under its lock. Successor: `log`.

use super::materialise::materialise;
use super::operation::{Intent, intent, is_terminating};
use super::replicas::{Replicas, SharedReplicas};
use crate::error::RequestError;
use crate::mvcc::KeyValue;
use crate::sequencer::{Commit, Emit, Stored};
use archipel_crdt::entry::DeletePolicy;
use archipel_crdt::key::ObjectKey;
use archipel_crdt::value;
use bytes::Bytes;
use std::collections::BTreeMap;

/// What the sequencer calls for every client's request.
#[derive(Debug)]
pub(crate) struct Emitter(pub(crate) SharedReplicas);

impl Emit for Emitter {
    /// Cost for an unshared key: one lock without contention and one look-up of its namespace.
    fn emit(&mut self, commit: &mut Commit<'_>) -> Result<(), RequestError> {
        let mut replicas = self.0.lock();
        replicas.refresh(commit);
        if replicas.namespaces.is_empty() {
            return Ok(());
        }
        let mut intents: BTreeMap<u128, Vec<(ObjectKey, Intent)>> = BTreeMap::new();
        let mut freed: Vec<(u128, ObjectKey)> = Vec::new();
        for change in commit.changes() {
            let Some((share, key)) = replicas.locate(&change.key) else { continue };
            let read = |stored: &Option<Stored>| stored.as_ref().map(|stored| commit.read(stored)).transpose();
            let (old, new) = (read(&change.old)?, read(&change.new)?);
            let (before, after) = (decode(old.as_ref()), decode(new.as_ref()));
            if key.resource == "namespaces" && ends_namespace(after.as_ref()) {
                replicas.leave(commit, share);
                intents.remove(&share);
                continue;
            }
            // A key with a lease is never replicated (rule M21).
            if change.lease != 0 || undecodable(new.as_ref(), after.as_ref()) {
                continue;
            }
            let object = replicas.shares.get(&share).and_then(|replica| replica.objects.get(&key));
            if let Some(intent) = intent(&key, object, before.as_ref(), after.as_ref()) {
                intents.entry(share).or_default().push((key, intent));
            } else if change.new.is_none() {
                freed.push((share, key));
            }
        }
        for (share, intents) in intents {
            replicas.append_own(commit, share, &intents);
        }
        // The last of a terminating object is gone: what was held for its name may appear.
        for (share, key) in freed {
            materialise(commit, &mut replicas, share, &key, DeletePolicy::Background);
        }
        Ok(())
    }

    fn refused(&mut self) {
        self.0.lock().is_stale = true;
    }
}

impl Replicas {
    /// The active share and the object that an etcd key belongs to.
    fn locate(&self, key: &[u8]) -> Option<(u128, ObjectKey)> {
        let named = self.keyspace.parse(key)?;
        let replica = self.of_namespace(&named.namespace)?;
        replica.is_active().then_some((replica.share.id, named.object))
    }
}

/// The Namespace starts terminating, or is gone: this site leaves the share and deletes nothing elsewhere (hazard H1).
fn ends_namespace(after: Option<&value::Decoded>) -> bool {
    after.is_none_or(|value| is_terminating(&value.tree))
}

fn undecodable(bytes: Option<&Bytes>, decoded: Option<&value::Decoded>) -> bool {
    bytes.is_some() && decoded.is_none()
}

/// Decodes the object in an encoded version; None if it is not one that merges (ciphertext, unknown content).
pub(super) fn decode(version: Option<&Bytes>) -> Option<value::Decoded> {
    value::decode(KeyValue::decode(version?).ok()?.value).ok()
}
