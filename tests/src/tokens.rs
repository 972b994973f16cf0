//! Access tokens that a test makes itself, valid and invalid ones, with a signing key that it gives to the server.

use std::{fs, path::Path, time::SystemTime};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Value, json};

/// A key that signs tokens.
pub struct TokenMaker {
    pkcs8: Vec<u8>,
    pair: Ed25519KeyPair,
}

impl Default for TokenMaker {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenMaker {
    /// A new key.
    pub fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("there are random bytes");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("it was just made");
        Self { pkcs8: pkcs8.as_ref().to_vec(), pair }
    }

    /// Writes the key as the setting `accounts.signing_key_file` takes it.
    pub fn write(&self, path: &Path) {
        let body = STANDARD.encode(&self.pkcs8);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        fs::write(path, pem).expect("the test's folder can be written");
    }

    /// The header of a valid token.
    pub fn header(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref());
        let thumbprint = digest(&SHA256, format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes());
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": URL_SAFE_NO_PAD.encode(thumbprint) })
    }

    /// The claims of a valid token.
    pub fn claims(role: &str, subject: &str, scope: &str) -> Value {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later than 1970");
        let now = now.as_secs();
        json!({
            "iss": "orderflow", "sub": subject, "role": role, "scope": scope, "iat": now, "exp": now + 86_400,
            "jti": format!("{:032x}", fastrand::u128(..)), "gen": 1,
        })
    }

    /// Signs any header and any claims.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A valid token.
    pub fn token(&self, role: &str, subject: &str, scope: &str) -> String {
        self.sign(&self.header(), &Self::claims(role, subject, scope))
    }
}
