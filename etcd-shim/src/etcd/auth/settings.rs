//! `--auth-token`, `--auth-token-ttl` and `--bcrypt-cost` (etcd: server/auth/store.go, server/auth/options.go).

use super::token::SignMethod;
use crate::config::parse_duration;
use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};
use thiserror::Error;

/// Lifetime of a token that is given none.
const DEFAULT_TTL: Duration = Duration::from_secs(300);
/// The cost of a hash that is given none that bcrypt knows.
const DEFAULT_COST: u32 = 10;
/// The costs that bcrypt knows; each step doubles the time.
const COSTS: RangeInclusive<u32> = 4..=31;

/// How tokens are made and passwords are hashed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuthSettings {
    pub(super) tokens: TokenSettings,
    pub(super) bcrypt_cost: u32,
}

/// How tokens are made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum TokenSettings {
    /// Random, kept in memory, renewed on use.
    Simple { ttl: Duration },
    /// Signed, valid at every server that has the key.
    Jwt(JwtSettings),
    /// No token is given and none is taken.
    None,
}

/// `--auth-token=jwt,…`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct JwtSettings {
    pub(super) method: SignMethod,
    pub(super) public_key: Option<PathBuf>,
    pub(super) private_key: Option<PathBuf>,
    pub(super) ttl: Duration,
}

/// `--auth-token` makes no sense.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum AuthSettingsError {
    /// Neither simple nor jwt.
    #[error("--auth-token is {0:?}: use simple, or jwt with its options")]
    Kind(String),
    /// An option.
    #[error("--auth-token: {0:?} is not an option: write name=value, each name once")]
    Option(String),
    /// The signing method.
    #[error(
        "--auth-token: sign-method is {0:?}: use one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA, HS256, HS384, HS512"
    )]
    Method(String),
    /// The lifetime.
    #[error("--auth-token: ttl: {0}")]
    Ttl(String),
}

impl AuthSettings {
    /// Reads the flags. A cost that bcrypt does not know is etcd's default, with a warning.
    ///
    /// # Errors
    /// `--auth-token` makes no sense. The keys that it names are not read yet.
    pub fn parse(auth_token: &str, ttl_s: u32, bcrypt_cost: u32) -> Result<AuthSettings, AuthSettingsError> {
        let mut words = auth_token.split(',');
        let kind = words.next().unwrap_or("");
        let options = options(words)?;
        let tokens = match kind {
            "simple" if ttl_s == 0 => TokenSettings::Simple { ttl: DEFAULT_TTL },
            "simple" => TokenSettings::Simple { ttl: Duration::from_secs(ttl_s.into()) },
            "jwt" => TokenSettings::Jwt(jwt(&options)?),
            "" => TokenSettings::None,
            other => return Err(AuthSettingsError::Kind(other.to_owned())),
        };
        let bcrypt_cost = if COSTS.contains(&bcrypt_cost) {
            bcrypt_cost
        } else {
            tracing::warn!(given = bcrypt_cost, used = DEFAULT_COST, "--bcrypt-cost must be from 4 to 31");
            DEFAULT_COST
        };
        Ok(AuthSettings { tokens, bcrypt_cost })
    }
}

fn options<'a>(words: impl Iterator<Item = &'a str>) -> Result<BTreeMap<&'a str, &'a str>, AuthSettingsError> {
    let mut options = BTreeMap::new();
    for word in words {
        let refused = || AuthSettingsError::Option(word.to_owned());
        let (name, value) = word.split_once('=').filter(|(_, value)| !value.contains('=')).ok_or_else(refused)?;
        if options.insert(name, value).is_some() {
            return Err(refused());
        }
    }
    Ok(options)
}

fn jwt(options: &BTreeMap<&str, &str>) -> Result<JwtSettings, AuthSettingsError> {
    let given = |name: &str| options.get(name).copied().filter(|value| !value.is_empty());
    for unknown in options.keys().filter(|name| !["sign-method", "pub-key", "priv-key", "ttl"].contains(*name)) {
        tracing::warn!(option = unknown, "--auth-token: jwt has no such option");
    }
    let method = given("sign-method").unwrap_or("");
    Ok(JwtSettings {
        method: SignMethod::named(method).ok_or_else(|| AuthSettingsError::Method(method.to_owned()))?,
        public_key: given("pub-key").map(PathBuf::from),
        private_key: given("priv-key").map(PathBuf::from),
        ttl: given("ttl").map_or(Ok(DEFAULT_TTL), parse_duration).map_err(AuthSettingsError::Ttl)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Result<TokenSettings, AuthSettingsError> {
        AuthSettings::parse(text, 300, 10).map(|settings| settings.tokens)
    }

    #[test]
    fn flags_as_etcd_reads_them() {
        assert_eq!(tokens("simple"), Ok(TokenSettings::Simple { ttl: DEFAULT_TTL }));
        assert_eq!(tokens(""), Ok(TokenSettings::None));
        let jwt = tokens("jwt,pub-key=a.pem,priv-key=b.pem,sign-method=RS256,ttl=1m").unwrap();
        let TokenSettings::Jwt(jwt) = jwt else { panic!("jwt") };
        assert_eq!((jwt.ttl, jwt.private_key), (Duration::from_secs(60), Some("b.pem".into())));
        for (wrong, error) in [
            ("paseto", AuthSettingsError::Kind("paseto".into())),
            ("jwt", AuthSettingsError::Method(String::new())),
            ("jwt,sign-method=ES512", AuthSettingsError::Method("ES512".into())),
            ("jwt,sign-method", AuthSettingsError::Option("sign-method".into())),
            ("jwt,ttl=1m,ttl=2m", AuthSettingsError::Option("ttl=2m".into())),
        ] {
            assert_eq!(tokens(wrong), Err(error), "{wrong}");
        }
        assert!(matches!(tokens("jwt,sign-method=RS256,ttl=soon"), Err(AuthSettingsError::Ttl(_))));
    }

    #[test]
    fn a_cost_that_bcrypt_does_not_know_is_the_default() {
        let cost = |given| AuthSettings::parse("simple", 0, given).map(|settings| settings.bcrypt_cost);
        assert_eq!((cost(4), cost(3), cost(32)), (Ok(4), Ok(10), Ok(10)));
    }
}
