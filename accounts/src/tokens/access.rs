//! Access tokens: JSON Web Tokens signed with EdDSA, with the precautions of RFC 8725. They follow RFC 9068 but for `aud`: a store
//! of accounts serves one API, and the issuer names it.

use compact_str::CompactString;
use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use orderflow_schemas::{Role, Timestamp};
use orderflow_web::Scopes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{KeyRing, SigningKey};

/// The type of the token, RFC 9068, section 2.1. A token of another type never passes as an access token.
const TYPE: &str = "at+jwt";
/// The most letters of a token that is looked at.
const BYTES_MAX: usize = 2_048;

/// The claims of an access token. All are required; others are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The issuer.
    pub iss: String,
    /// The account: of a person or of a machine client.
    pub sub: CompactString,
    /// The role of the account.
    pub role: CompactString,
    /// The scopes of the token.
    pub scope: String,
    /// When the token was issued, in seconds since 1970.
    pub iat: i64,
    /// When the token expires, in seconds since 1970.
    pub exp: i64,
    /// The id of the token.
    pub jti: Uuid,
    /// The generation of the account: tokens of an earlier one are refused once a right was taken away.
    #[serde(rename = "gen")]
    pub generation: i64,
    /// The session of a person; absent for a machine client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Uuid>,
    /// The id of a machine client, which is also the subject; absent for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<CompactString>,
}

/// A checked access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// Its claims.
    pub claims: Claims,
    /// The role in the claims.
    pub role: Role,
    /// The scopes in the claims.
    pub scopes: Scopes,
}

/// Why a text is no valid access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// The token was valid once.
    #[error("the token has expired")]
    Expired,
    /// The text is not an access token of this issuer.
    #[error("the token is not valid")]
    Invalid,
    /// The token was revoked, or its account has lost a right since.
    #[error("the token was revoked")]
    Revoked,
}

impl Claims {
    /// Signs a token with these claims.
    pub fn sign(&self, key: &SigningKey) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(key.id.clone());
        encode(&header, self, &key.encoding())
    }

    /// When the token expires.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_micros(self.exp.saturating_mul(1_000_000))
    }
}

impl AccessToken {
    /// Checks a token's signature, type, issuer and times. Whether it was revoked is another question.
    pub fn check(text: &str, keys: &KeyRing, issuer: &str, now: Timestamp) -> Result<Self, InvalidToken> {
        if text.len() > BYTES_MAX {
            return Err(InvalidToken::Invalid);
        }
        let header = decode_header(text).map_err(|_| InvalidToken::Invalid)?;
        let is_ours = header.alg == Algorithm::EdDSA && header.typ.as_deref() == Some(TYPE);
        let key = header.kid.as_deref().filter(|_| is_ours).and_then(|id| keys.find(id));
        let key = key.ok_or(InvalidToken::Invalid)?;
        // The library checks the signature and the issuer. The times are checked below, by the clock of the caller and
        // without a leeway: a token that has expired may have left the list of revoked ones.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        validation.validate_exp = false;
        validation.validate_nbf = true;
        validation.leeway = 0;
        let claims =
            decode::<Claims>(text, &key.decoding, &validation).map_err(|_| InvalidToken::Invalid)?.claims;
        if claims.iss != issuer {
            return Err(InvalidToken::Invalid);
        }
        if claims.expires_at() <= now {
            return Err(InvalidToken::Expired);
        }
        let role = Role::of_client(&claims.role).ok_or(InvalidToken::Invalid)?;
        let scopes = Scopes::parse(&claims.scope).map_err(|_| InvalidToken::Invalid)?;
        Ok(Self { claims, role, scopes })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "orderflow";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn claims() -> Claims {
        Claims {
            iss: ISSUER.into(),
            sub: "ann".into(),
            role: "customer".into(),
            scope: "orders:read".into(),
            iat: 100,
            exp: 200,
            jti: Uuid::from_u128(7),
            generation: 1,
            sid: None,
            client_id: None,
        }
    }

    fn ring() -> KeyRing {
        KeyRing::new(vec![SigningKey::generate(at(0))])
    }

    fn parts(token: &str) -> Vec<Value> {
        let decode = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        token.split('.').take(2).map(decode).collect()
    }

    fn encoded(value: &Value) -> String {
        URL_SAFE_NO_PAD.encode(value.to_string())
    }

    /// Signs any header and any claims.
    fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        let pair = ring::signature::Ed25519KeyPair::from_pkcs8_maybe_unchecked(key.pkcs8()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())))
    }

    #[test]
    fn a_token_is_valid_until_it_expires_and_not_a_moment_longer() {
        let ring = ring();
        let token = claims().sign(ring.newest().unwrap()).unwrap();
        let checked = AccessToken::check(&token, &ring, ISSUER, at(199)).unwrap();
        assert_eq!((checked.claims, checked.role), (claims(), Role::Customer));
        assert_eq!(AccessToken::check(&token, &ring, ISSUER, at(200)), Err(InvalidToken::Expired));
    }

    #[test]
    fn what_is_not_signed_by_a_known_key_as_an_access_token_of_this_issuer_is_refused() {
        let ring = ring();
        let key = ring.newest().unwrap();
        let token = claims().sign(key).unwrap();
        let [header, body] = &parts(&token)[..] else { panic!("a token has three parts") };
        let with = |value: &Value, name: &str, member: Value| {
            let mut value = value.clone();
            value[name] = member;
            value
        };
        let without = |value: &Value, name: &str| {
            let mut value = value.clone();
            value.as_object_mut().unwrap().remove(name);
            value
        };
        assert!(AccessToken::check(&signed(key, header, body), &ring, ISSUER, at(1)).is_ok());
        let mut wrong = vec![
            String::new(),
            "a.b.c".to_owned(),
            format!("{token}x"),
            token.replace('.', ""),
            format!("{}.{}.", encoded(&json!({"alg": "none", "typ": TYPE})), encoded(body)),
            "x".repeat(BYTES_MAX + 1),
            claims().sign(&SigningKey::generate(at(0))).unwrap(),
        ];
        for header in [
            with(header, "alg", json!("HS256")),
            with(header, "alg", json!("none")),
            with(header, "typ", json!("JWT")),
            with(header, "typ", json!("rt+jwt")),
            with(header, "kid", json!("another")),
            without(header, "kid"),
            without(header, "typ"),
        ] {
            wrong.push(signed(key, &header, body));
        }
        for name in ["iss", "sub", "role", "scope", "iat", "exp", "jti", "gen"] {
            wrong.push(signed(key, header, &without(body, name)));
            wrong.push(signed(key, header, &with(body, name, json!(["orderflow"]))));
        }
        for (name, value) in [
            ("iss", json!("another")),
            ("iss", json!(["another", "orderflow"])),
            ("role", json!("root")),
            ("role", json!("system")),
            ("scope", json!("orders:read everything")),
            ("exp", json!("200")),
            ("nbf", json!(4_000_000_000_i64)),
        ] {
            wrong.push(signed(key, header, &with(body, name, value)));
        }
        for token in wrong {
            assert!(AccessToken::check(&token, &ring, ISSUER, at(1)).is_err(), "{token}");
        }
    }

    #[test]
    fn a_new_key_signs_later_than_it_is_known_and_the_old_one_stays_valid() {
        let (old, new) = (SigningKey::generate(at(0)), SigningKey::generate(at(50)));
        let ring = KeyRing::new(vec![old.clone(), new.clone()]);
        assert_eq!(ring.signing(at(49)).unwrap().id, old.id);
        assert_eq!(ring.signing(at(50)).unwrap().id, new.id);
        for key in [&old, &new] {
            assert!(AccessToken::check(&claims().sign(key).unwrap(), &ring, ISSUER, at(1)).is_ok());
        }
        let jwks = ring.jwks();
        assert_eq!(jwks["keys"].as_array().unwrap().len(), 2);
        assert!(!jwks.to_string().contains("\"d\""), "only public keys are published");
    }
}
