//! Users and roles as one immutable value: a change makes the next one.

use super::keys::KeySet;
use crate::etcd::wire::{self, permission};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The user that may do everything and cannot be taken away while accounts are asked for.
pub(super) const ROOT: &str = "root";
/// The revision of accounts that were never changed.
pub(super) const FIRST_REVISION: u64 = 1;

/// All accounts at one auth revision. Clones share users and roles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Accounts {
    /// Are accounts asked for?
    pub(super) enabled: bool,
    /// Grows with every change, except when accounts are switched on.
    pub(super) revision: u64,
    /// By name.
    pub(super) users: BTreeMap<String, Arc<User>>,
    /// By name.
    pub(super) roles: BTreeMap<String, Arc<Role>>,
}

/// A user.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct User {
    /// The bcrypt hash; empty = no password is right.
    pub(super) password: Hash,
    /// The user comes with a certificate only.
    pub(super) no_password: bool,
    /// Names of roles. A role may be gone.
    pub(super) roles: BTreeSet<String>,
    /// What the roles permit together.
    pub(super) read: KeySet,
    /// What the roles permit together.
    pub(super) write: KeySet,
}

/// A password's hash, kept out of debug output.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Hash(pub(super) Bytes);

/// A role: permissions by key, those of one key in the order in which they were granted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Role {
    /// The permissions.
    pub(super) permissions: Vec<wire::Permission>,
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "hidden" })
    }
}

impl Default for Accounts {
    fn default() -> Accounts {
        Accounts { enabled: false, revision: FIRST_REVISION, users: BTreeMap::new(), roles: BTreeMap::new() }
    }
}

impl User {
    /// Does the user have the role `root`? The user of that name has no right without it.
    pub(super) fn is_root(&self) -> bool {
        self.roles.contains(ROOT)
    }
}

impl Accounts {
    /// Adds up what a user's roles permit, after the user or one of the roles changed.
    pub(super) fn add_up(&mut self, name: &str) {
        let Some(user) = self.users.get(name) else { return };
        let permissions =
            || user.roles.iter().filter_map(|role| self.roles.get(role)).flat_map(|role| &role.permissions);
        let ranges = |wanted: permission::Type| {
            let grants = move |granted: &&wire::Permission| {
                // A type that is not known grants nothing.
                [Ok(wanted), Ok(permission::Type::Readwrite)].contains(&permission::Type::try_from(granted.perm_type))
            };
            KeySet::union(permissions().filter(grants).map(|granted| (&granted.key, &granted.range_end)))
        };
        let (read, write) = (ranges(permission::Type::Read), ranges(permission::Type::Write));
        let next = User { read, write, ..(**user).clone() };
        self.users.insert(name.to_owned(), Arc::new(next));
    }

    /// Adds up for everybody who has a role.
    pub(super) fn add_up_role(&mut self, role: &str) {
        for name in self.users_with(role) {
            self.add_up(&name);
        }
    }

    /// Names of the users who have a role.
    pub(super) fn users_with(&self, role: &str) -> Vec<String> {
        self.users.iter().filter(|(_, user)| user.roles.contains(role)).map(|(name, _)| name.clone()).collect()
    }
}
