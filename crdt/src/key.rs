//! The name of an object inside a share, free of any site's etcd prefix and namespace name.

use crate::codec::{DecodeError, Reader, Writer};
use std::fmt;

/// Group, resource and name of one object of a shared namespace. The Namespace object itself is `("", "namespaces", "")`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectKey {
    /// API group; empty for the core group.
    pub group: String,
    /// Lower-case plural, as in the API (`services`, not etcd's `services/specs`).
    pub resource: String,
    /// Object name; empty for the Namespace object.
    pub name: String,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            write!(f, "{}/{}", self.resource, self.name)
        } else {
            write!(f, "{}.{}/{}", self.resource, self.group, self.name)
        }
    }
}

impl ObjectKey {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.group);
        w.text(&self.resource);
        w.text(&self.name);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<ObjectKey, DecodeError> {
        Ok(ObjectKey { group: r.string()?, resource: r.string()?, name: r.string()? })
    }

    /// The stored form. Equal keys have equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.into_bytes()
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// If the bytes were not made by [`ObjectKey::encode`].
    pub fn decode(bytes: &[u8]) -> Result<ObjectKey, DecodeError> {
        let mut r = Reader::new(bytes);
        let key = ObjectKey::read(&mut r)?;
        r.finish()?;
        Ok(key)
    }
}
