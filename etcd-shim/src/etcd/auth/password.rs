//! Passwords as bcrypt hashes. Hashing is slow on purpose, so it happens on threads that serve nobody, a few at a time.

use super::account::Hash;
use crate::etcd::status::EtcdError;
use bcrypt::Version;
use bytes::Bytes;
use std::{sync::Arc, thread::available_parallelism};
use tokio::sync::Semaphore;

/// bcrypt looks at no more bytes.
const PASSWORD_BYTES_MAX: usize = 72;

/// Hashes and checks passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    cost: u32,
    /// Half of the processors at most work on passwords: whoever sends wrong ones must not stop the server.
    workers: Arc<Semaphore>,
}

impl Passwords {
    /// Hashes at this cost.
    pub(super) fn new(cost: u32) -> Passwords {
        let processors = available_parallelism().map_or(1, usize::from);
        Passwords { cost, workers: Arc::new(Semaphore::new((processors / 2).max(1))) }
    }

    /// The hash of a password.
    ///
    /// # Errors
    /// The password is longer than bcrypt's limit.
    pub(super) async fn hash(&self, password: String) -> Result<Hash, EtcdError> {
        if password.len() > PASSWORD_BYTES_MAX {
            return Err(EtcdError::PasswordTooLong);
        }
        let cost = self.cost;
        // As Go's library writes it, so that a row can be read by either.
        let hash =
            move || bcrypt::hash_with_result(password, cost).map(|parts| parts.format_for_version(Version::TwoA));
        match self.work(hash).await {
            Some(Ok(text)) => Ok(Hash(Bytes::from(text))),
            Some(Err(error)) => {
                tracing::error!(%error, "a password could not be hashed");
                Err(EtcdError::Stopped)
            }
            None => Err(EtcdError::Stopped),
        }
    }

    /// Is this the password? Costs the time of a hash.
    pub(super) async fn is_right(&self, password: String, hash: Hash) -> bool {
        let verify = move || {
            let text = std::str::from_utf8(&hash.0).unwrap_or("");
            // A hash that is none, for example an empty one, is nobody's.
            bcrypt::verify(password, text).unwrap_or(false)
        };
        self.work(verify).await.unwrap_or(false)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = Arc::clone(&self.workers).acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_is_right() {
        let passwords = Passwords::new(4);
        let hash = passwords.hash("secret".into()).await.unwrap();
        assert!(hash.0.starts_with(b"$2a$04$"));
        assert!(passwords.is_right("secret".into(), hash.clone()).await);
        assert!(!passwords.is_right("Secret".into(), hash).await);
        assert!(!passwords.is_right(String::new(), Hash::default()).await);
        assert!(!passwords.is_right("x".into(), Hash(Bytes::from_static(b"\xff"))).await);
    }

    #[tokio::test]
    async fn a_hash_of_gos_library_is_read() {
        // golang.org/x/crypto/bcrypt: the hash of "allmine" in its own tests.
        let hash = Hash(Bytes::from_static(b"$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga"));
        assert!(Passwords::new(4).is_right("allmine".into(), hash).await);
    }

    #[tokio::test]
    async fn a_long_password_is_refused_and_not_cut() {
        let passwords = Passwords::new(4);
        assert!(passwords.hash("x".repeat(72)).await.is_ok());
        assert_eq!(passwords.hash("x".repeat(73)).await, Err(EtcdError::PasswordTooLong));
    }
}
