//! JSON Web Tokens: signed, not kept. A change of the accounts makes them old (etcd: server/auth/jwt.go).

use super::{
    super::{authorize::Caller, settings::JwtSettings},
    key::{Key, KeyError},
};
use crate::etcd::status::EtcdError;
use archipel_store::clock::Clock;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// Longest token that is looked at; a longer one is none of ours.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// Signs and verifies tokens.
#[derive(Debug)]
pub(super) struct JwtTokens {
    key: Key,
    ttl: Duration,
    clock: Arc<dyn Clock>,
}

impl JwtTokens {
    /// Reads the keys.
    ///
    /// # Errors
    /// A key cannot be read or used.
    pub(super) fn open(settings: &JwtSettings, clock: Arc<dyn Clock>) -> Result<JwtTokens, KeyError> {
        Ok(JwtTokens { key: Key::open(settings)?, ttl: settings.ttl, clock })
    }

    /// A new token.
    ///
    /// # Errors
    /// There is only a public key.
    pub(super) fn assign(&self, user: &str, auth_revision: u64) -> Result<String, EtcdError> {
        let header = json!({ "alg": self.key.method().name(), "typ": "JWT" });
        let claims = json!({ "exp": self.now_s() + self.ttl.as_secs(), "revision": auth_revision, "username": user });
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(message.as_bytes()).ok_or(EtcdError::TokenVerifyOnly)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// Whose token this is, and of which auth revision; None if it is not signed with the key or its time is over.
    pub(super) fn caller(&self, token: &str) -> Option<Caller> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        // The method is ours to choose, not the token's.
        if json_part(header)?.get("alg")?.as_str()? != self.key.method().name() {
            return None;
        }
        if !self.key.verifies(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?) {
            return None;
        }
        let claims = json_part(claims)?;
        // A claim that is there must hold; etcd's library looks at no other one.
        let time = |name| claims.get(name).map(|value| value.as_f64().ok_or(())).transpose().ok();
        let now_s = self.now_s() as f64;
        if time("exp")?.is_some_and(|end| now_s >= end) || time("nbf")?.is_some_and(|start| now_s < start) {
            return None;
        }
        let user = claims.get("username")?.as_str()?.into();
        // A JSON number is a float to etcd; a negative one is no revision.
        Some(Caller { user, revision: claims.get("revision")?.as_f64()? as u64 })
    }

    fn now_s(&self) -> u64 {
        self.clock.wall_ms() / 1000
    }
}

fn json_part(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests;
