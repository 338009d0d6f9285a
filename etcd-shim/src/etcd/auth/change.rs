//! What a change makes of the accounts, or why it is refused: pure, in etcd's order of checks (server/auth/store.go).

use super::{
    account::{Accounts, Hash, ROOT, Role, User},
    keys,
};
use crate::etcd::{
    status::EtcdError,
    wire::{Permission, UserAddOptions},
};
use bytes::Bytes;
use std::sync::Arc;

/// A change of users, roles or of whether they are asked for. Passwords are hashed already.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Enable,
    Disable,
    AddUser {
        name: String,
        password: Hash,
        options: Option<UserAddOptions>,
    },
    DeleteUser {
        name: String,
    },
    /// No password: what the client gave as a hash is no base64.
    Password {
        name: String,
        password: Option<Hash>,
    },
    GrantRole {
        user: String,
        role: String,
    },
    RevokeRole {
        user: String,
        role: String,
    },
    AddRole {
        name: String,
    },
    DeleteRole {
        name: String,
    },
    GrantPermission {
        role: String,
        permission: Option<Permission>,
    },
    RevokePermission {
        role: String,
        key: Bytes,
        range_end: Bytes,
    },
}

impl Change {
    /// The user whose tokens end with this change.
    pub(super) fn ends_tokens_of(&self) -> Option<&str> {
        match self {
            Change::DeleteUser { name } | Change::Password { name, .. } => Some(name),
            _ => None,
        }
    }
}

impl Accounts {
    /// The accounts after a change; the same ones if it changes nothing.
    ///
    /// # Errors
    /// As etcd's.
    pub(super) fn after(&self, change: Change) -> Result<Accounts, EtcdError> {
        let mut next = self.clone();
        let changed = match change {
            Change::Enable => return self.enabled(),
            Change::Disable => std::mem::replace(&mut next.enabled, false),
            Change::AddUser { name, password, options } => next.add_user(name, password, options)?,
            Change::DeleteUser { name } => next.delete_user(&name)?,
            Change::Password { name, password } => next.change_password(&name, password)?,
            Change::GrantRole { user, role } => next.grant_role(&user, role)?,
            Change::RevokeRole { user, role } => next.revoke_role(&user, &role)?,
            Change::AddRole { name } => next.add_role(name)?,
            Change::DeleteRole { name } => next.delete_role(&name)?,
            Change::GrantPermission { role, permission } => next.grant_permission(&role, permission)?,
            Change::RevokePermission { role, key, range_end } => next.revoke_permission(&role, &key, &range_end)?,
        };
        next.revision += u64::from(changed);
        Ok(next)
    }

    /// Switching on is the one change that keeps the revision.
    fn enabled(&self) -> Result<Accounts, EtcdError> {
        if !self.enabled && !self.users.get(ROOT).ok_or(EtcdError::RootUserNotExist)?.is_root() {
            return Err(EtcdError::RootRoleNotExist);
        }
        Ok(Accounts { enabled: true, ..self.clone() })
    }

    fn add_user(&mut self, name: String, password: Hash, options: Option<UserAddOptions>) -> Result<bool, EtcdError> {
        if name.is_empty() {
            return Err(EtcdError::UserEmpty);
        }
        if self.users.contains_key(&name) {
            return Err(EtcdError::UserAlreadyExist);
        }
        let no_password = options.is_some_and(|options| options.no_password);
        let password = if no_password { Hash::default() } else { password };
        self.users.insert(name, Arc::new(User { password, no_password, ..User::default() }));
        Ok(true)
    }

    fn delete_user(&mut self, name: &str) -> Result<bool, EtcdError> {
        if self.enabled && name == ROOT {
            return Err(EtcdError::InvalidAuthManagement);
        }
        self.users.remove(name).map(|_| true).ok_or(EtcdError::UserNotFound)
    }

    fn change_password(&mut self, name: &str, password: Option<Hash>) -> Result<bool, EtcdError> {
        let user = self.user_mut(name)?;
        if !user.no_password {
            user.password = password.ok_or(EtcdError::NoPasswordUser)?;
        }
        Ok(true)
    }

    fn grant_role(&mut self, name: &str, role: String) -> Result<bool, EtcdError> {
        if !self.users.contains_key(name) {
            return Err(EtcdError::UserNotFound);
        }
        // The role root needs no row.
        if role != ROOT && !self.roles.contains_key(&role) {
            return Err(EtcdError::RoleNotFound);
        }
        if self.users.get(name).is_some_and(|user| user.roles.contains(&role)) {
            return Ok(false);
        }
        self.user_mut(name)?.roles.insert(role);
        self.add_up(name);
        Ok(true)
    }

    fn revoke_role(&mut self, name: &str, role: &str) -> Result<bool, EtcdError> {
        if self.enabled && name == ROOT && role == ROOT {
            return Err(EtcdError::InvalidAuthManagement);
        }
        if !self.user_mut(name)?.roles.remove(role) {
            return Err(EtcdError::RoleNotGranted);
        }
        self.add_up(name);
        Ok(true)
    }

    fn add_role(&mut self, name: String) -> Result<bool, EtcdError> {
        if name.is_empty() {
            return Err(EtcdError::RoleEmpty);
        }
        if self.roles.contains_key(&name) {
            return Err(EtcdError::RoleAlreadyExist);
        }
        // A user may have it already: root, which needs no row.
        self.roles.insert(name, Arc::default());
        Ok(true)
    }

    fn delete_role(&mut self, name: &str) -> Result<bool, EtcdError> {
        if self.enabled && name == ROOT {
            return Err(EtcdError::InvalidAuthManagement);
        }
        self.roles.remove(name).ok_or(EtcdError::RoleNotFound)?;
        for user in self.users_with(name) {
            self.user_mut(&user)?.roles.remove(name);
            self.add_up(&user);
        }
        Ok(true)
    }

    fn grant_permission(&mut self, name: &str, permission: Option<Permission>) -> Result<bool, EtcdError> {
        let granted = permission.ok_or(EtcdError::PermissionNotGiven)?;
        if !keys::is_range(&granted.key, &granted.range_end) {
            return Err(EtcdError::InvalidAuthManagement);
        }
        let permissions = &mut self.role_mut(name)?.permissions;
        let same = |old: &&mut Permission| old.key == granted.key && old.range_end == granted.range_end;
        match permissions.iter_mut().find(same) {
            Some(old) => old.perm_type = granted.perm_type,
            None => {
                let at = permissions.partition_point(|old| old.key <= granted.key);
                permissions.insert(at, granted);
            }
        }
        self.add_up_role(name);
        Ok(true)
    }

    fn revoke_permission(&mut self, name: &str, key: &Bytes, range_end: &Bytes) -> Result<bool, EtcdError> {
        let permissions = &mut self.role_mut(name)?.permissions;
        let before = permissions.len();
        permissions.retain(|old| old.key != *key || old.range_end != *range_end);
        if permissions.len() == before {
            return Err(EtcdError::PermissionNotGranted);
        }
        self.add_up_role(name);
        Ok(true)
    }

    fn user_mut(&mut self, name: &str) -> Result<&mut User, EtcdError> {
        self.users.get_mut(name).map(Arc::make_mut).ok_or(EtcdError::UserNotFound)
    }

    fn role_mut(&mut self, name: &str) -> Result<&mut Role, EtcdError> {
        self.roles.get_mut(name).map(Arc::make_mut).ok_or(EtcdError::RoleNotFound)
    }
}
