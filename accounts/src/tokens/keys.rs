//! The keys that sign access tokens. Several are valid at a time, so that a rotation logs nobody out.
//!
//! *Rotation*: a new key is published at once and signs only after every process has loaded it; the key before it stays
//! valid until the last token that it has signed has expired.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use orderflow_schemas::Timestamp;
use ring::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::json;

use super::crypto;

/// A key pair.
#[derive(Clone)]
pub struct SigningKey {
    /// The id of the key in tokens and in the published key set: the thumbprint of RFC 7638.
    pub id: String,
    /// When the key begins to sign.
    pub signs_from: Timestamp,
    pkcs8: Vec<u8>,
    public: Vec<u8>,
    pub(super) decoding: DecodingKey,
}

/// The bytes are not an Ed25519 key in PKCS#8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 key in PKCS#8")]
pub struct InvalidKey;

impl SigningKey {
    /// A new key.
    pub fn generate(signs_from: Timestamp) -> Self {
        let pkcs8 =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("the system has random bytes");
        Self::from_pkcs8(pkcs8.as_ref(), signs_from).expect("it was just made")
    }

    /// The key with these bytes.
    pub fn from_pkcs8(pkcs8: &[u8], signs_from: Timestamp) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| InvalidKey)?;
        let public = pair.public_key().as_ref().to_vec();
        let x = URL_SAFE_NO_PAD.encode(&public);
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let id = URL_SAFE_NO_PAD.encode(digest(&SHA256, members.as_bytes()));
        let decoding = crypto::decoding_key(&public);
        Ok(Self { id, signs_from, pkcs8: pkcs8.to_vec(), public, decoding })
    }

    /// The private key, for the store.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    pub(super) fn encoding(&self) -> EncodingKey {
        crypto::encoding_key(&self.pkcs8)
    }

    fn jwk(&self) -> serde_json::Value {
        json!({
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
            "kid": self.id, "x": URL_SAFE_NO_PAD.encode(&self.public),
        })
    }
}

/// The valid keys, the newest first.
#[derive(Clone, Default)]
pub struct KeyRing(Vec<SigningKey>);

impl KeyRing {
    /// The ring of these keys.
    pub fn new(mut keys: Vec<SigningKey>) -> Self {
        crypto::install();
        keys.sort_by_key(|key| std::cmp::Reverse(key.signs_from));
        Self(keys)
    }

    /// The key that signs at this time: the newest that has begun to.
    pub fn signing(&self, now: Timestamp) -> Option<&SigningKey> {
        self.0.iter().find(|key| key.signs_from <= now)
    }

    /// The key with this id.
    pub fn find(&self, id: &str) -> Option<&SigningKey> {
        self.0.iter().find(|key| key.id == id)
    }

    /// The newest key, which may not sign yet.
    pub fn newest(&self) -> Option<&SigningKey> {
        self.0.first()
    }

    /// The ids of the keys.
    pub fn ids(&self) -> Vec<&str> {
        self.0.iter().map(|key| key.id.as_str()).collect()
    }

    /// The JSON Web Key Set, RFC 7517: the public keys.
    pub fn jwks(&self) -> serde_json::Value {
        json!({ "keys": self.0.iter().map(SigningKey::jwk).collect::<Vec<_>>() })
    }
}
