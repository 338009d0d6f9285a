//! The accounts of this site: kept in the store, held in memory, asked by every service.

use super::{
    account::{Accounts, Hash},
    authorize::{Caller, Decision, Leases},
    change::Change,
    credentials::Credentials,
    operation::Operation,
    password::Passwords,
    rows,
    settings::AuthSettings,
    token::{KeyError, Tokens},
};
use crate::etcd::status::{self, EtcdError};
use arc_swap::ArcSwap;
use archipel_store::{Store, View, error::RequestError, log::Table};
use bytes::Bytes;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use thiserror::Error;
use tokio::sync::Mutex;
use tonic::{Request, Status};

/// Accounts, tokens and passwords. Clones share them.
#[derive(Clone, Debug)]
pub struct Auth(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    /// As in `accounts`; all that is looked at while it is false.
    enabled: AtomicBool,
    /// What is durable.
    accounts: ArcSwap<Accounts>,
    /// Held by a change until it is durable and in `accounts`: changes build on one another.
    changing: Mutex<()>,
    tokens: Tokens,
    passwords: Passwords,
}

/// Why the accounts cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A key of tokens.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A row.
    #[error("the account {0:?} cannot be read: this release is too old for it, or the site must be restored")]
    Row(String),
}

/// An operation was permitted, at an auth revision.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Permit {
    /// 0 = nobody was asked for.
    revision: u64,
}

impl Auth {
    /// Reads the accounts from the store, and the keys of tokens.
    ///
    /// # Errors
    /// A row does not decode, or a key cannot be used.
    pub fn load(store: &Store, settings: &AuthSettings) -> Result<Auth, LoadError> {
        let accounts = rows::load(&store.view().rows(Table::Auth, b"")).map_err(LoadError::Row)?;
        Ok(Auth(Arc::new(Shared {
            store: store.clone(),
            enabled: AtomicBool::new(accounts.enabled),
            accounts: ArcSwap::from_pointee(accounts),
            changing: Mutex::new(()),
            tokens: Tokens::open(&settings.tokens, store.clock().clone())?,
            passwords: Passwords::new(settings.bcrypt_cost),
        })))
    }

    /// May whoever sends this request do this? One atomic load while accounts are not asked for.
    ///
    /// # Errors
    /// In etcd's words: a wrong token, no user, an old auth revision, no permission.
    pub fn authorize<T>(&self, request: &Request<T>, operation: Operation<'_>) -> Result<Permit, EtcdError> {
        if !self.0.enabled.load(Ordering::Acquire) {
            return Ok(Permit { revision: 0 });
        }
        self.judge(&Credentials::of(request), operation)
    }

    /// The same for operations that are made on behalf of a request or a stream.
    ///
    /// # Errors
    /// As [`Auth::authorize`].
    pub fn authorize_as(&self, credentials: &Credentials, operation: Operation<'_>) -> Result<Permit, EtcdError> {
        if !self.0.enabled.load(Ordering::Acquire) {
            return Ok(Permit { revision: 0 });
        }
        self.judge(credentials, operation)
    }

    /// After a read: was it permitted at the auth revision that is current now? What was read may be shown then.
    ///
    /// # Errors
    /// The accounts changed meanwhile, or the token is of another auth revision.
    pub fn confirm(&self, permit: Permit) -> Result<(), EtcdError> {
        if self.holds(permit) { Ok(()) } else { Err(EtcdError::AuthOldRevision) }
    }

    /// Are the accounts still those that the permit was given by? A write asks when it has its turn (etcd
    /// server/etcdserver/apply/apply_auth.go checks the auth revision at apply).
    #[must_use]
    pub fn holds(&self, permit: Permit) -> bool {
        permit.revision == 0 || permit.revision == self.0.accounts.load().revision
    }

    fn judge(&self, credentials: &Credentials, operation: Operation<'_>) -> Result<Permit, EtcdError> {
        let accounts = self.0.accounts.load();
        let caller = self.caller(credentials, accounts.revision)?;
        let leases = LeasesOf(self.0.store.view());
        Decision { accounts: &accounts, caller: caller.as_ref(), leases: &leases }.authorize(operation)?;
        Ok(Permit { revision: caller.map_or(0, |caller| caller.revision) })
    }

    /// Who the credentials name. A token that is wrong is not saved by a certificate that is right.
    fn caller(&self, credentials: &Credentials, revision: u64) -> Result<Option<Caller>, EtcdError> {
        match credentials.token() {
            Some(token) => self.0.tokens.caller(token, revision).map(Some).ok_or(EtcdError::InvalidAuthToken),
            None => Ok(credentials.common_name().map(|name| Caller { user: Arc::clone(name), revision })),
        }
    }

    /// The accounts as they are now.
    pub(super) fn accounts(&self) -> Arc<Accounts> {
        self.0.accounts.load_full()
    }

    /// The hash of a new password.
    ///
    /// # Errors
    /// It is too long.
    pub(super) async fn hash(&self, password: String) -> Result<Hash, EtcdError> {
        self.0.passwords.hash(password).await
    }

    /// Exchanges a password for a token.
    ///
    /// # Errors
    /// Accounts are not asked for, or user and password do not belong together.
    pub(super) async fn authenticate(&self, name: &str, password: &str) -> Result<String, EtcdError> {
        loop {
            let accounts = self.accounts();
            if !accounts.enabled {
                return Err(EtcdError::AuthNotEnabled);
            }
            let user = accounts.users.get(name).ok_or(EtcdError::AuthFailed)?;
            if user.no_password {
                return Err(EtcdError::NoPasswordUser);
            }
            if !self.0.passwords.is_right(password.to_owned(), user.password.clone()).await {
                tracing::info!(user = name, "a wrong password was refused");
                return Err(EtcdError::AuthFailed);
            }
            let index = u64::try_from(self.0.store.revision()).unwrap_or(0);
            let token = self.0.tokens.assign(name, accounts.revision, index)?;
            // The user may have been deleted, or have another password, since this one was checked. Such a change ends
            // the tokens that exist; this one may have come later.
            if self.0.accounts.load().revision == accounts.revision {
                return Ok(token);
            }
            self.0.tokens.end_one(&token);
        }
    }

    /// Makes a change; resolves when it is durable and holds for every later request. It goes on if the caller leaves.
    ///
    /// # Errors
    /// The caller is not permitted, as etcd's, or the store stopped; nothing changed then.
    pub(super) async fn change(&self, credentials: Credentials, change: Change) -> Result<(), Status> {
        let auth = self.clone();
        let changed = tokio::spawn(async move { auth.change_now(&credentials, change).await });
        changed.await.unwrap_or_else(|_| Err(EtcdError::Stopped.into()))
    }

    async fn change_now(&self, credentials: &Credentials, change: Change) -> Result<(), Status> {
        let Shared { store, accounts, tokens, .. } = &*self.0;
        let _changing = self.0.changing.lock().await;
        // Nobody can lose the right to make this change between the check and the change.
        let _permit = self.authorize_as(credentials, Operation::AuthAdministration)?;
        let old = accounts.load_full();
        let ended_user = change.ends_tokens_of().map(str::to_owned);
        let new = old.after(change)?;
        let writes = rows::difference(&old, &new);
        if !writes.is_empty() {
            let write = store.commit(|commit| {
                for (key, value) in writes {
                    match value {
                        Some(value) => commit.table_put(Table::Auth, key, value),
                        None => commit.table_delete(Table::Auth, &key),
                    }
                }
                Ok::<_, RequestError>(())
            });
            let ((), ticket) = write.map_err(status::from_store)?;
            ticket.await.map_err(status::from_store)?;
        }
        let (was_enabled, enabled) = (old.enabled, new.enabled);
        accounts.store(Arc::new(new));
        self.0.enabled.store(enabled, Ordering::Release);
        if let Some(user) = ended_user {
            tokens.end_of_user(&user);
        }
        if was_enabled != enabled {
            tracing::info!(enabled, "accounts are asked for, or not any more");
        }
        if was_enabled && !enabled {
            tokens.end_all();
        }
        Ok(())
    }
}

/// Leases as they are published.
struct LeasesOf(View);

impl Leases for LeasesOf {
    fn keys(&self, lease: i64) -> Vec<Bytes> {
        self.0.keys_of_lease(lease)
    }

    fn all_keys(&self) -> Vec<Bytes> {
        self.0.attached_keys()
    }
}
