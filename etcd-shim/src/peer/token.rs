//! The invitation that one admin hands to another: where to dial, whom to expect there, and a secret that proves the
//! invitation. Whoever holds it can pair once, until it expires.

use super::identity::Fingerprint;
use super::proto;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use std::fmt;
use thiserror::Error;
use uuid::Uuid;

/// Format that this build writes.
const FORMAT: u32 = 1;
/// Bytes of the secret.
pub(crate) const SECRET_BYTES: usize = 24;
/// Characters of a token at most.
const TOKEN_CHARACTERS_MAX: usize = 4096;

/// An invitation, decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The inviter's name.
    pub name: String,
    /// The inviter's site id.
    pub site_id: Uuid,
    /// What the inviter's CA must hash to.
    pub fingerprint: Fingerprint,
    /// Where the inviter is dialled, `host:port`.
    pub address: String,
    /// Which invitation it is.
    pub invite_id: Uuid,
    /// The proof.
    pub secret: Vec<u8>,
    /// Unix time in milliseconds.
    pub expires_unix_ms: u64,
}

/// Why a token cannot be used. Nothing was sent.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not a token.
    #[error("this is not an invitation; paste the whole token that `archipel peer invite` printed at the other site")]
    Malformed,
    /// Of a newer release.
    #[error("the invitation has format {0}, this release reads {FORMAT}; upgrade this site")]
    Format(u32),
}

impl Token {
    /// The text that an admin copies.
    pub fn encode(&self) -> String {
        let message = proto::Token {
            format: FORMAT,
            name: self.name.clone(),
            site_id: self.site_id.as_bytes().to_vec().into(),
            ca_fingerprint: self.fingerprint.0.to_vec().into(),
            address: self.address.clone(),
            invite_id: self.invite_id.as_bytes().to_vec().into(),
            secret: self.secret.clone().into(),
            expires_unix_ms: self.expires_unix_ms,
        };
        URL_SAFE_NO_PAD.encode(message.encode_to_vec())
    }

    /// Reads what an admin pasted; white space in it is ignored.
    ///
    /// # Errors
    /// It is no token, or one of a newer release.
    pub fn decode(text: &str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_CHARACTERS_MAX {
            return Err(TokenError::Malformed);
        }
        let text: String = text.split_whitespace().collect();
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
        let message = proto::Token::decode(bytes.as_slice()).map_err(|_| TokenError::Malformed)?;
        if message.format > FORMAT {
            return Err(TokenError::Format(message.format));
        }
        let token = Self {
            name: message.name,
            site_id: Uuid::from_slice(&message.site_id).map_err(|_| TokenError::Malformed)?,
            fingerprint: Fingerprint::from_slice(&message.ca_fingerprint).ok_or(TokenError::Malformed)?,
            address: message.address,
            invite_id: Uuid::from_slice(&message.invite_id).map_err(|_| TokenError::Malformed)?,
            secret: message.secret.to_vec(),
            expires_unix_ms: message.expires_unix_ms,
        };
        let whole = token.secret.len() == SECRET_BYTES && super::is_name(&token.name) && !token.address.is_empty();
        if whole { Ok(token) } else { Err(TokenError::Malformed) }
    }
}

impl fmt::Debug for Token {
    // The secret stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({} of {} at {})", self.invite_id, self.name, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Token {
        Token {
            name: "nantes".into(),
            site_id: Uuid::from_u128(1),
            fingerprint: Fingerprint([7; 32]),
            address: "127.0.0.1:2382".into(),
            invite_id: Uuid::from_u128(2),
            secret: vec![9; SECRET_BYTES],
            expires_unix_ms: 5,
        }
    }

    #[test]
    fn a_token_survives_copy_and_paste_and_keeps_its_secret_out_of_logs() {
        let text = token().encode();
        assert_eq!(Token::decode(&text), Ok(token()));
        let (a, b) = text.split_at(20);
        assert_eq!(Token::decode(&format!(" {a}\n{b}\n")), Ok(token()));
        assert!(!format!("{:?}", token()).contains('9'));
    }

    #[test]
    fn every_cut_of_a_token_is_refused() {
        let text = token().encode();
        for n in 0..text.len() {
            if let Some(cut) = text.get(..n) {
                // A cut that ends between two fields decodes to a token without its end, which only lacks the expiry.
                let decoded = Token::decode(cut);
                assert!(decoded.is_err() || decoded == Ok(Token { expires_unix_ms: 0, ..token() }), "{n}");
            }
        }
        assert_eq!(Token::decode("not a token!"), Err(TokenError::Malformed));
        let nameless = Token { name: "\u{1b}[2J".into(), ..token() };
        assert_eq!(Token::decode(&nameless.encode()), Err(TokenError::Malformed));
    }
}
