//! Tokens: what a password is exchanged for.

mod simple;
use simple::SimpleTokens;
mod der;
mod jwt;
mod key;
use jwt::JwtTokens;
pub(super) use key::{KeyError, SignMethod};

use super::{authorize::Caller, settings::TokenSettings};
use crate::etcd::status::EtcdError;
use archipel_store::clock::Clock;
use std::sync::Arc;

/// Makes tokens and knows whose they are.
#[derive(Debug)]
pub(super) struct Tokens(Kind);

#[derive(Debug)]
enum Kind {
    Simple(SimpleTokens),
    Jwt(Box<JwtTokens>),
    None,
}

impl Tokens {
    /// Reads the keys, if there are any.
    ///
    /// # Errors
    /// A key cannot be read or used.
    pub(super) fn open(settings: &TokenSettings, clock: Arc<dyn Clock>) -> Result<Tokens, KeyError> {
        Ok(Tokens(match settings {
            TokenSettings::Simple { ttl } => Kind::Simple(SimpleTokens::new(*ttl, clock)),
            TokenSettings::Jwt(settings) => Kind::Jwt(Box::new(JwtTokens::open(settings, clock)?)),
            TokenSettings::None => Kind::None,
        }))
    }

    /// A new token. `index` is a number that grows, for etcd's form of a simple token.
    ///
    /// # Errors
    /// This server can only verify tokens, or gives none.
    pub(super) fn assign(&self, user: &str, auth_revision: u64, index: u64) -> Result<String, EtcdError> {
        match &self.0 {
            Kind::Simple(tokens) => tokens.assign(user, index),
            Kind::Jwt(tokens) => tokens.assign(user, auth_revision),
            Kind::None => Err(EtcdError::AuthFailed),
        }
    }

    /// Whose token this is; None if it is nobody's, or not any more.
    pub(super) fn caller(&self, token: &str, auth_revision: u64) -> Option<Caller> {
        match &self.0 {
            Kind::Simple(tokens) => Some(Caller { user: tokens.user(token)?, revision: auth_revision }),
            Kind::Jwt(tokens) => tokens.caller(token),
            Kind::None => None,
        }
    }

    /// Ends the tokens of a user. A signed token cannot be ended: its auth revision makes it old.
    pub(super) fn end_of_user(&self, user: &str) {
        if let Kind::Simple(tokens) = &self.0 {
            tokens.end(|token_user| token_user == user);
        }
    }

    /// Ends one token.
    pub(super) fn end_one(&self, token: &str) {
        if let Kind::Simple(tokens) = &self.0 {
            tokens.end_one(token);
        }
    }

    /// Ends all tokens, as far as they can be ended.
    pub(super) fn end_all(&self) {
        if let Kind::Simple(tokens) = &self.0 {
            tokens.end(|_| true);
        }
    }
}
