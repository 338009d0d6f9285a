//! Random tokens that live in memory: a restart ends them, use renews them (etcd: server/auth/simple_token.go).

use crate::etcd::status::EtcdError;
use archipel_store::clock::Clock;
use ring::rand::{SecureRandom, SystemRandom};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

const LETTERS: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
/// Letters of a token: 91 bits.
const LENGTH: usize = 16;
/// Tokens that are kept at most. One more takes the place of the one that would end first.
const TOKENS_MAX: usize = 100_000;

/// The tokens that are good now.
pub(super) struct SimpleTokens {
    ttl: Duration,
    clock: Arc<dyn Clock>,
    random: SystemRandom,
    tokens: RwLock<HashMap<String, Holder>>,
}

struct Holder {
    user: Arc<str>,
    /// On the monotonic clock, in milliseconds.
    ends_ms: AtomicU64,
}

impl SimpleTokens {
    pub(super) fn new(ttl: Duration, clock: Arc<dyn Clock>) -> SimpleTokens {
        SimpleTokens { ttl, clock, random: SystemRandom::new(), tokens: RwLock::default() }
    }

    /// A new token of a user: random letters, a dot, and a number, as etcd's.
    ///
    /// # Errors
    /// The machine gives no random numbers.
    pub(super) fn assign(&self, user: &str, index: u64) -> Result<String, EtcdError> {
        let token = format!("{}.{index}", self.letters()?);
        let now_ms = millis(self.clock.monotonic());
        let holder = Holder { user: user.into(), ends_ms: AtomicU64::new(self.end_ms(now_ms)) };
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        // A password was just hashed: looking at all tokens costs less.
        tokens.retain(|_, holder| holder.is_good(now_ms));
        if tokens.len() >= TOKENS_MAX {
            let first = tokens.iter().min_by_key(|(_, holder)| holder.ends_ms.load(Ordering::Relaxed));
            if let Some(first) = first.map(|(token, _)| token.clone()) {
                tokens.remove(&first);
            }
        }
        tokens.insert(token.clone(), holder);
        Ok(token)
    }

    /// Whose token this is; its time starts anew.
    pub(super) fn user(&self, token: &str) -> Option<Arc<str>> {
        let now_ms = millis(self.clock.monotonic());
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let holder = tokens.get(token).filter(|holder| holder.is_good(now_ms))?;
        holder.ends_ms.store(self.end_ms(now_ms), Ordering::Relaxed);
        Some(Arc::clone(&holder.user))
    }

    /// Ends the tokens of these users.
    pub(super) fn end(&self, of: impl Fn(&str) -> bool) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).retain(|_, holder| !of(&holder.user));
    }

    /// Ends one token.
    pub(super) fn end_one(&self, token: &str) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn end_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add(millis(self.ttl))
    }

    fn letters(&self) -> Result<String, EtcdError> {
        // Bytes from here on would make the first letters likelier than the last ones.
        const FAIR: usize = 256 - 256 % LETTERS.len();
        let mut letters = String::with_capacity(LENGTH);
        while letters.len() < LENGTH {
            let mut bytes = [0; 2 * LENGTH];
            self.random.fill(&mut bytes).map_err(|_| {
                tracing::error!("the machine gives no random numbers: no token can be made");
                EtcdError::Stopped
            })?;
            let fair = bytes.iter().map(|byte| usize::from(*byte)).filter(|byte| *byte < FAIR);
            let drawn = fair.filter_map(|byte| LETTERS.get(byte % LETTERS.len())).map(|letter| char::from(*letter));
            letters.extend(drawn.take(LENGTH - letters.len()));
        }
        Ok(letters)
    }
}

impl Holder {
    fn is_good(&self, now_ms: u64) -> bool {
        now_ms < self.ends_ms.load(Ordering::Relaxed)
    }
}

/// Tokens are secrets.
impl fmt::Debug for SimpleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimpleTokens").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use archipel_store::clock::ManualClock;

    #[test]
    fn use_renews_a_token_and_silence_ends_it() {
        let clock = Arc::new(ManualClock::at(0));
        let tokens = SimpleTokens::new(Duration::from_secs(300), clock.clone());
        let token = tokens.assign("ann", 7).unwrap();
        let (letters, index) = token.split_once('.').unwrap();
        assert!(letters.len() == LENGTH && letters.bytes().all(|byte| byte.is_ascii_alphabetic()) && index == "7");
        for _ in 0..3 {
            clock.advance(Duration::from_secs(299));
            assert_eq!(tokens.user(&token).as_deref(), Some("ann"));
        }
        clock.advance(Duration::from_secs(300));
        assert_eq!(tokens.user(&token), None);
        let other = tokens.assign("ann", 7).unwrap();
        assert_ne!(other, token);
        assert_eq!(tokens.tokens.read().unwrap().len(), 1, "what ended is forgotten");
    }

    #[test]
    fn a_users_tokens_end_together() {
        let tokens = SimpleTokens::new(Duration::from_secs(300), Arc::new(ManualClock::at(0)));
        let (ann, bob) = (tokens.assign("ann", 1).unwrap(), tokens.assign("bob", 1).unwrap());
        tokens.end(|user| user == "ann");
        assert_eq!((tokens.user(&ann), tokens.user(&bob).as_deref()), (None, Some("bob")));
        assert_eq!(tokens.user("nobody.1"), None);
    }
}
