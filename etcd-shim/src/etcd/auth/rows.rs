//! Accounts as rows of the store's table: one for the state, one a user, one a role. Users and roles have the form in
//! which etcd keeps them (api/authpb/auth.proto).

use super::account::{Accounts, Hash, Role, User};
use crate::etcd::wire;
use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use std::{collections::BTreeMap, sync::Arc};

/// Key of the row that says whether accounts are asked for, and their revision.
const STATE: &[u8] = b"s";
/// First byte of a user's key; the name follows.
const USER: u8 = b'u';
/// First byte of a role's key; the name follows.
const ROLE: u8 = b'r';

/// A row to write; no value deletes it.
pub(super) type RowWrite = (Bytes, Option<Bytes>);

/// Reads accounts back.
///
/// # Errors
/// The key, as text, of a row that does not decode.
pub(super) fn load(rows: &[(Bytes, Bytes)]) -> Result<Accounts, String> {
    let mut accounts = Accounts::default();
    for (key, value) in rows {
        load_row(&mut accounts, key, value).ok_or_else(|| String::from_utf8_lossy(key).into_owned())?;
    }
    let names: Vec<String> = accounts.users.keys().cloned().collect();
    for name in names {
        accounts.add_up(&name);
    }
    Ok(accounts)
}

fn load_row(accounts: &mut Accounts, key: &Bytes, value: &Bytes) -> Option<()> {
    if key.as_ref() == STATE {
        let (enabled, revision) = value.split_first()?;
        accounts.enabled = *enabled != 0;
        accounts.revision = u64::from_be_bytes(revision.try_into().ok()?);
        return Some(());
    }
    let (kind, name) = key.split_first()?;
    let name = std::str::from_utf8(name).ok()?.to_owned();
    match *kind {
        USER => {
            let user = wire::User::decode(value.clone()).ok()?;
            accounts.users.insert(name, Arc::new(user_of(user)));
        }
        ROLE => {
            let role = wire::Role::decode(value.clone()).ok()?;
            accounts.roles.insert(name, Arc::new(Role { permissions: role.key_permission }));
        }
        _ => return None,
    }
    Some(())
}

fn user_of(user: wire::User) -> User {
    User {
        password: Hash(user.password),
        no_password: user.options.is_some_and(|options| options.no_password),
        roles: user.roles.into_iter().collect(),
        ..User::default()
    }
}

/// What must be written to come from `old` to `new`: everything that differs, in one atomic change.
pub(super) fn difference(old: &Accounts, new: &Accounts) -> Vec<RowWrite> {
    let mut writes = Vec::new();
    if (old.enabled, old.revision) != (new.enabled, new.revision) {
        let mut state = BytesMut::new();
        state.put_u8(new.enabled.into());
        state.put_u64(new.revision);
        writes.push((Bytes::from_static(STATE), Some(state.freeze())));
    }
    changed(&old.users, &new.users, USER, encode_user, &mut writes);
    changed(&old.roles, &new.roles, ROLE, encode_role, &mut writes);
    writes
}

fn changed<T>(
    old: &BTreeMap<String, Arc<T>>,
    new: &BTreeMap<String, Arc<T>>,
    kind: u8,
    encode: fn(&str, &T) -> Vec<u8>,
    writes: &mut Vec<RowWrite>,
) {
    for (name, value) in new {
        let before = old.get(name);
        // What was not touched is the same object; what a user's roles add up to is no part of its row.
        if before.is_some_and(|before| Arc::ptr_eq(before, value)) {
            continue;
        }
        let row = encode(name, value);
        if before.is_none_or(|before| encode(name, before) != row) {
            writes.push((row_key(kind, name), Some(row.into())));
        }
    }
    writes.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| (row_key(kind, name), None)));
}

fn row_key(kind: u8, name: &str) -> Bytes {
    let mut key = BytesMut::with_capacity(name.len() + 1);
    key.put_u8(kind);
    key.put_slice(name.as_bytes());
    key.freeze()
}

fn encode_user(name: &str, user: &User) -> Vec<u8> {
    wire::User {
        name: Bytes::copy_from_slice(name.as_bytes()),
        password: user.password.0.clone(),
        roles: user.roles.iter().cloned().collect(),
        options: Some(wire::UserAddOptions { no_password: user.no_password }),
    }
    .encode_to_vec()
}

fn encode_role(name: &str, role: &Role) -> Vec<u8> {
    wire::Role { name: Bytes::copy_from_slice(name.as_bytes()), key_permission: role.permissions.clone() }
        .encode_to_vec()
}
