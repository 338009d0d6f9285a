//! Objects that were there before a namespace was shared become creations of this site, so that attaching is nothing but
//! the first entries of the log.

use super::emit::decode;
use super::operation::intent;
use super::replicas::{Replica, Replicas};
use crate::error::RequestError;
use crate::limits::{IMPORT_BYTES_MAX, IMPORT_OBJECTS_MAX};
use crate::mvcc::{KeyValue, RangeRequest};
use crate::sequencer::Commit;
use archipel_crdt::key::ObjectKey;
use archipel_crdt::lens;
use bytes::Bytes;

/// An object of a namespace: its name in the share, and its encoded version.
type Found = (ObjectKey, Bytes);

impl Replicas {
    /// Emits up to [`IMPORT_OBJECTS_MAX`] objects of a share's namespace that are not in its CRDT yet, one entry each,
    /// owners before dependents (rule M11). True if there may be more. Cost: a walk over the namespace's objects.
    ///
    /// # Errors
    /// A stored object cannot be read; nothing was emitted.
    pub(super) fn import(&mut self, commit: &mut Commit<'_>, share: u128) -> Result<bool, RequestError> {
        let Some(replica) = self.shares.get(&share).filter(|replica| replica.is_active()) else { return Ok(false) };
        let missing: Vec<Found> = self
            .objects_of(commit, &replica.share.namespace)?
            .into_iter()
            .filter(|(key, _)| !replica.objects.contains_key(key))
            .collect();
        let (mut imported, mut bytes) = (0, 0);
        for (key, version) in missing {
            if imported == IMPORT_OBJECTS_MAX || bytes >= IMPORT_BYTES_MAX {
                return Ok(true);
            }
            bytes += version.len();
            let Some(intent) = intent(&key, None, None, decode(Some(&version)).as_ref()) else { continue };
            self.append_own(commit, share, &[(key, intent)]);
            imported += 1;
        }
        Ok(false)
    }

    /// The objects of a namespace that would be replicated, the Namespace itself aside.
    ///
    /// # Errors
    /// A stored object cannot be read.
    pub(super) fn replicable(&self, commit: &Commit<'_>, namespace: &str) -> Result<Vec<ObjectKey>, RequestError> {
        let found = self.objects_of(commit, namespace)?.into_iter();
        let content = found.filter(|(key, _)| key.resource != "namespaces");
        let emitted =
            content.filter(|(key, version)| intent(key, None, None, decode(Some(version)).as_ref()).is_some());
        Ok(emitted.map(|(key, _)| key).collect())
    }

    /// The Namespace object and every object of a replicated resource in it, in the order of creation at a peer.
    fn objects_of(&self, commit: &Commit<'_>, namespace: &str) -> Result<Vec<Found>, RequestError> {
        let own = ObjectKey { group: String::new(), resource: "namespaces".into(), name: String::new() };
        let etcd_key = self.keyspace.key(namespace, &own).unwrap_or_default();
        let namespace_object = commit.get(etcd_key.as_bytes())?;
        let mut found: Vec<Found> = namespace_object.map(|version| (own, version)).into_iter().collect();
        for &(group, resource) in lens::REPLICATED_RESOURCES {
            let Some(directory) = self.keyspace.directory_of(namespace, group, resource) else { continue };
            // A directory ends in '/', and '0' is the byte after it.
            let range_end = Bytes::from(format!("{}0", directory.trim_end_matches('/')));
            let key = Bytes::from(directory);
            let reply = commit.range(&RangeRequest { key, range_end, ..RangeRequest::default() })?;
            for version in reply.kvs {
                let named = KeyValue::decode(&version).ok().and_then(|kv| self.keyspace.parse(kv.key));
                found.extend(named.map(|named| (named.object, version)));
            }
        }
        Ok(found)
    }
}

impl Replica {
    /// Objects in the CRDT that have a visible life.
    pub(super) fn visible_count(&self) -> usize {
        self.objects.values().filter(|object| object.visible().is_some()).count()
    }
}
