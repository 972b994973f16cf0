//! In whose name a command uses a server: with a token that it was given, with a stored log-in, or as any role that it
//! names in headers.

use std::{fmt, str::FromStr, sync::Arc};

use anyhow::Result;
use http::HeaderValue;

use crate::login::{LoginEnded, Session};

/// An access token. Nothing shows it.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a token is visible ASCII without spaces");
        }
        let mut value =
            HeaderValue::try_from(format!("Bearer {text}")).map_err(|_| "a token is visible ASCII")?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl Token {
    /// The value of the header `Authorization`.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// How the server learns who calls.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// By the headers that a server with `--insecure-no-auth` trusts.
    Headers,
    /// By a token that the command was given.
    Token(Token),
    /// By a stored log-in, which is renewed in time.
    Stored(Arc<Session>),
}

impl Authentication {
    /// The token of the next request; `None` if the caller is named in headers.
    pub async fn token(&self) -> Result<Option<Token>> {
        match self {
            Self::Headers => Ok(None),
            Self::Token(token) => Ok(Some(token.clone())),
            Self::Stored(session) => session.token().await.map(Some),
        }
    }

    /// What can be used in place of a token that the server has refused.
    pub async fn instead_of(&self, refused: &Token) -> Result<Option<Token>> {
        match self {
            Self::Headers | Self::Token(_) => Ok(None),
            Self::Stored(session) => session.instead_of(refused).await.map(Some),
        }
    }

    /// Who calls, and how the server learns it. `role` is the one that headers name.
    pub fn describe(&self, role: &str) -> String {
        match self {
            Self::Headers => format!("role {role} from headers"),
            Self::Token(_) => "the owner of the given token".to_owned(),
            Self::Stored(session) => format!("{}, by the stored log-in", session.account()),
        }
    }
}

/// The server does not trust headers, and the command has nothing else.
#[derive(Debug, thiserror::Error)]
#[error(
    "401: the server at {origin} needs a log-in: run `orderflow login --url {origin}`, or give a token with --token"
)]
pub struct NotLoggedIn {
    pub(super) origin: String,
}

/// Whether an error means that only a log-in helps, so that no repeat can succeed.
pub fn needs_login(error: &anyhow::Error) -> bool {
    error.downcast_ref::<LoginEnded>().is_some() || error.downcast_ref::<NotLoggedIn>().is_some()
}
