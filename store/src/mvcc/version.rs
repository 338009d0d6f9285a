//! One version of a key.

use super::key_value::KeyValue;
use crate::log::Position;
use crate::revision::Revision;
use crate::sync::{Arc, OnceLock};
use crate::tree::Weight;
use bytes::Bytes;

/// A version or a tombstone: a handle of one pointer, shared by the trees, their snapshots and the replies.
///
/// The encoded value is resident. A bounded cache would replace `kv` by the position and a slot of the cache; nothing
/// outside this file would notice, except that [`Version::kv`] could fail.
#[derive(Clone, Debug)]
pub(crate) struct Version(Arc<Fields>);

#[derive(Debug)]
struct Fields {
    revision: Revision,
    create_revision: i64,
    version: i64,
    lease: i64,
    /// None = tombstone.
    kv: Option<Bytes>,
    /// Set when the record was appended, before anybody but the sequencer sees the version.
    position: OnceLock<Position>,
}

impl Version {
    /// A version from its fields; the revision's main part becomes `mod_revision`.
    pub(crate) fn put(
        key: &[u8],
        value: &[u8],
        revision: Revision,
        create_revision: i64,
        version: i64,
        lease: i64,
    ) -> Version {
        let kv = KeyValue { key, create_revision, mod_revision: revision.main, version, value, lease }.encode();
        Version(Arc::new(Fields { revision, create_revision, version, lease, kv: Some(kv), position: OnceLock::new() }))
    }

    pub(crate) fn tombstone(revision: Revision) -> Version {
        let position = OnceLock::new();
        Version(Arc::new(Fields { revision, create_revision: 0, version: 0, lease: 0, kv: None, position }))
    }

    /// A version that the log holds. None if the bytes are no `KeyValue`.
    pub(crate) fn recovered(revision: Revision, kv: Option<Bytes>, position: Position) -> Option<Version> {
        let decoded = match &kv {
            Some(kv) => KeyValue::decode(kv).ok()?,
            None => KeyValue::default(),
        };
        let (create_revision, version, lease) = (decoded.create_revision, decoded.version, decoded.lease);
        let position = OnceLock::from(position);
        Some(Version(Arc::new(Fields { revision, create_revision, version, lease, kv, position })))
    }

    /// The same version at another place of the log.
    pub(crate) fn moved_to(&self, position: Position) -> Version {
        let Fields { revision, create_revision, version, lease, ref kv, .. } = *self.0;
        let position = OnceLock::from(position);
        Version(Arc::new(Fields { revision, create_revision, version, lease, kv: kv.clone(), position }))
    }

    /// Says where the version was appended. Once.
    pub(crate) fn set_position(&self, position: Position) {
        let first = self.0.position.set(position).is_ok();
        debug_assert!(first, "a version is appended once");
    }

    /// Where the version lies; None only before its record is appended.
    pub(crate) fn position(&self) -> Option<Position> {
        self.0.position.get().copied()
    }

    pub(crate) fn revision(&self) -> Revision {
        self.0.revision
    }

    pub(crate) fn create_revision(&self) -> i64 {
        self.0.create_revision
    }

    /// etcd's version number: puts since the creation.
    pub(crate) fn number(&self) -> i64 {
        self.0.version
    }

    /// 0 = none.
    pub(crate) fn lease(&self) -> i64 {
        self.0.lease
    }

    /// The encoded `KeyValue`; None for a tombstone.
    pub(crate) fn kv(&self) -> Option<&Bytes> {
        self.0.kv.as_ref()
    }

    pub(crate) fn is_tombstone(&self) -> bool {
        self.0.kv.is_none()
    }

    /// Itself, unless it is a tombstone.
    pub(crate) fn live(&self) -> Option<&Version> {
        (!self.is_tombstone()).then_some(self)
    }

    /// The value inside the encoded form.
    pub(crate) fn value(&self) -> &[u8] {
        self.decoded().value
    }

    /// The key inside the encoded form; empty for a tombstone.
    pub(crate) fn key(&self) -> &[u8] {
        self.decoded().key
    }

    fn decoded(&self) -> KeyValue<'_> {
        let kv = self.0.kv.as_deref().unwrap_or_default();
        KeyValue::decode(kv).expect("invariant: the store holds well-formed versions")
    }

    /// Bytes that the version takes in the log, about.
    pub(crate) fn bytes(&self, key: &[u8]) -> u64 {
        (key.len() + self.0.kv.as_ref().map_or(0, Bytes::len)) as u64 + VERSION_OVERHEAD_BYTES
    }
}

/// Frame, event header and index row of a version, about.
const VERSION_OVERHEAD_BYTES: u64 = 64;

/// Only live versions are counted, so the tree by key counts live keys.
impl Weight for Version {
    fn weight(&self) -> u64 {
        u64::from(!self.is_tombstone())
    }
}
