//! Tokens: access tokens that every process checks by itself, and refresh tokens that the store knows.

mod access;
mod crypto;
mod keys;
mod refresh;

pub use access::{AccessToken, Claims, InvalidToken};
pub use keys::{KeyRing, SigningKey};
pub use refresh::{RefreshKey, RefreshToken};
