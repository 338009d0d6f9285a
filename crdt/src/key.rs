//! The name of an object inside a share, free of any site's etcd prefix and namespace name.

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
