use super::super::super::settings::AuthSettings;
use super::super::super::settings::TokenSettings;
use super::*;
use archipel_store::clock::ManualClock;
use std::path::Path;

/// Wall time of the tests.
const NOW_MS: u64 = 1_700_000_000_000;

fn settings(options: &str) -> JwtSettings {
    match AuthSettings::parse(&format!("jwt,{options}"), 0, 4).unwrap().tokens {
        TokenSettings::Jwt(settings) => settings,
        other => panic!("{other:?}"),
    }
}

fn open(options: &str) -> Result<(JwtTokens, Arc<ManualClock>), KeyError> {
    let clock = Arc::new(ManualClock::at(NOW_MS));
    Ok((JwtTokens::open(&settings(options), clock.clone())?, clock))
}

fn write(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// A private key, its public key and a certificate of it, as files.
fn key_files(directory: &Path, algorithm: &'static rcgen::SignatureAlgorithm) -> (String, String, String) {
    let pair = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&pair).unwrap();
    (
        write(directory, "private.pem", &pair.serialize_pem()),
        write(directory, "public.pem", &pair.public_key_pem()),
        write(directory, "certificate.pem", &certificate.pem()),
    )
}

#[test]
fn what_a_private_key_signs_its_public_key_verifies() {
    let methods = [
        ("ES256", &rcgen::PKCS_ECDSA_P256_SHA256),
        ("ES384", &rcgen::PKCS_ECDSA_P384_SHA384),
        ("EdDSA", &rcgen::PKCS_ED25519),
    ];
    for (method, algorithm) in methods {
        let directory = tempfile::tempdir().unwrap();
        let (private, public, certificate) = key_files(directory.path(), algorithm);
        let (both, _) = open(&format!("sign-method={method},priv-key={private},pub-key={certificate}")).unwrap();
        let (verifier, _) = open(&format!("sign-method={method},pub-key={public}")).unwrap();
        let token = both.assign("ann", 7).unwrap();
        for tokens in [&both, &verifier] {
            assert_eq!(tokens.caller(&token), Some(Caller { user: "ann".into(), revision: 7 }), "{method}");
        }
        assert_eq!(verifier.assign("ann", 7), Err(EtcdError::TokenVerifyOnly));
        let other = tempfile::tempdir().unwrap();
        let (_, stranger, _) = key_files(other.path(), algorithm);
        let (stranger_only, _) = open(&format!("sign-method={method},pub-key={stranger}")).unwrap();
        assert_eq!(stranger_only.caller(&token), None);
        let mismatch = open(&format!("sign-method={method},priv-key={private},pub-key={stranger}"));
        assert!(matches!(mismatch, Err(KeyError::Mismatch)), "{method}");
    }
}

#[test]
fn a_changed_token_is_nobodys() {
    let directory = tempfile::tempdir().unwrap();
    let secret = write(directory.path(), "secret", "0123456789abcdef0123456789abcdef");
    let (tokens, _) = open(&format!("sign-method=HS256,priv-key={secret}")).unwrap();
    let token = tokens.assign("ann", 7).unwrap();
    assert!(tokens.caller(&token).is_some());
    for at in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(tokens.caller(std::str::from_utf8(&changed).unwrap()), None, "byte {at}");
        assert_eq!(tokens.caller(&token[..at]), None);
    }
    let claims = URL_SAFE_NO_PAD.encode(json!({ "exp": u64::MAX, "revision": 7, "username": "root" }).to_string());
    for alg in ["none", "None", "HS384", "RS256"] {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": alg, "typ": "JWT" }).to_string());
        assert_eq!(tokens.caller(&format!("{header}.{claims}.")), None, "{alg}");
        let signature = tokens.key.sign(format!("{header}.{claims}").as_bytes()).unwrap();
        let forged = format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature));
        assert_eq!(tokens.caller(&forged), None, "the header names another method: {alg}");
    }
}

#[test]
fn time_and_claims_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let secret = write(directory.path(), "secret", "0123456789abcdef0123456789abcdef");
    let (tokens, clock) = open(&format!("sign-method=HS512,priv-key={secret},ttl=1m")).unwrap();
    let token = tokens.assign("ann", 7).unwrap();
    clock.advance(Duration::from_secs(59));
    assert!(tokens.caller(&token).is_some());
    clock.advance(Duration::from_secs(1));
    assert_eq!(tokens.caller(&token), None);
    let signed = |claims: Value| {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "HS512" }).to_string());
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = tokens.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    };
    assert!(tokens.caller(&signed(json!({ "username": "ann", "revision": 1 }))).is_some(), "no end is no error");
    for wrong in [
        json!({ "username": "ann" }),
        json!({ "revision": 1 }),
        json!({ "username": 1, "revision": 1 }),
        json!({ "username": "ann", "revision": "1" }),
        json!({ "username": "ann", "revision": 1, "exp": "never" }),
        json!({ "username": "ann", "revision": 1, "exp": 1 }),
        json!({ "username": "ann", "revision": 1, "nbf": 9e9 }),
        json!([]),
    ] {
        assert_eq!(tokens.caller(&signed(wrong.clone())), None, "{wrong}");
    }
}

#[test]
fn keys_that_do_not_fit_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let (private, ..) = key_files(directory.path(), &rcgen::PKCS_ECDSA_P256_SHA256);
    let text = write(directory.path(), "text", "no key");
    assert!(matches!(open("sign-method=RS256"), Err(KeyError::Missing)));
    assert!(matches!(open("sign-method=HS256"), Err(KeyError::Missing)));
    assert!(matches!(open("sign-method=ES256,priv-key=/nowhere"), Err(KeyError::File { .. })));
    for options in [
        format!("sign-method=ES256,priv-key={text}"),
        format!("sign-method=ES256,pub-key={private}"),
        format!("sign-method=RS256,priv-key={private}"),
        format!("sign-method=ES384,priv-key={private}"),
    ] {
        assert!(matches!(open(&options), Err(KeyError::Unusable { .. })), "{options}");
    }
}
