//! Refresh tokens: `SESSION.GENERATION.MAC`, in a family that is one session.
//!
//! Each refresh moves the session to the next generation, and only the token of the current generation is valid. A
//! token is derived from its session and generation under a key of the server (HMAC-SHA-256), so the store has no token,
//! and whoever lost an answer can be given the same successor again. A text without a valid MAC never reaches the store,
//! so nobody can end a family by guessing.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use uuid::Uuid;

/// The key under which refresh tokens are derived.
pub struct RefreshKey(hmac::Key);

/// The place of a refresh token in its family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session, which is the family.
    pub session: Uuid,
    /// The generation of the token in its family.
    pub generation: i64,
}

impl RefreshKey {
    /// The bytes of a key.
    pub const BYTES: usize = 32;

    /// The key with these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The text of a token.
    pub fn encode(&self, token: RefreshToken) -> String {
        let message = message(token);
        let mac = hmac::sign(&self.0, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// The token with this text; `None` if this server did not make it. The comparison takes the same time for every
    /// wrong MAC.
    pub fn decode(&self, text: &str) -> Option<RefreshToken> {
        if text.len() > 160 {
            return None;
        }
        let (message, mac) = text.rsplit_once('.')?;
        hmac::verify(&self.0, message.as_bytes(), &URL_SAFE_NO_PAD.decode(mac).ok()?).ok()?;
        let (session, generation) = message.split_once('.')?;
        Some(RefreshToken { session: Uuid::try_parse(session).ok()?, generation: generation.parse().ok()? })
    }
}

fn message(token: RefreshToken) -> String {
    format!("{}.{}", token.session.simple(), token.generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_makes_tokens() {
        let key = RefreshKey::new(&[7; 32]);
        let token = RefreshToken { session: Uuid::from_u128(5), generation: 3 };
        let text = key.encode(token);
        assert_eq!(key.decode(&text), Some(token));
        let next = text.replacen(".3.", ".4.", 1);
        for wrong in ["", ".", "..", &next, &format!("{text}A"), &text[1..], &"x".repeat(200)] {
            assert_eq!(key.decode(wrong), None, "{wrong}");
        }
        assert_eq!(RefreshKey::new(&[8; 32]).decode(&text), None);
    }
}
