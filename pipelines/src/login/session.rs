//! A stored log-in in use: gives the token of each request, and renews it in time.
//!
//! All connections of a command share one session, and sessions of several commands share the file. A renewal holds the
//! file's lock and first reads the file: if another command has renewed, its tokens are taken. A renewal that the server
//! refuses is never tried again.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context, Result, bail};

use super::{
    file::LoginFile,
    grant::{RenewalError, renew},
    stored::StoredLogin,
};
use crate::remote::{Server, Token};

/// The pause after a renewal that had no answer, while the token is still valid.
const PAUSE: Duration = Duration::from_secs(5);

/// The log-in has ended, and nothing can renew it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the log-in of {account} at {origin} has ended: {reason}; run `orderflow login --url {origin}` again"
)]
pub struct LoginEnded {
    account: String,
    origin: String,
    reason: String,
}

/// The log-in that a command uses.
#[derive(Debug)]
pub struct Session {
    server: Server,
    file: LoginFile,
    account: String,
    current: Mutex<Current>,
    renewing: tokio::sync::Mutex<Renewing>,
}

#[derive(Clone, Debug)]
struct Current {
    login: StoredLogin,
    token: Token,
}

/// What the renewals so far have shown.
#[derive(Debug, Default)]
struct Renewing {
    ended: Option<LoginEnded>,
    pause_until: Option<Instant>,
}

impl Current {
    fn of(login: &StoredLogin) -> Result<Self> {
        let token = login.token().context("the stored access token is damaged: log in again")?;
        Ok(Self { login: login.clone(), token })
    }

    /// Whether it can be used now: it is not due to be renewed, and it is not the one that the server has refused.
    fn serves(&self, refused: Option<&Token>, now: u64) -> bool {
        match refused {
            Some(refused) => self.token != *refused && !self.login.is_expired(now),
            None => self.login.is_fresh(now),
        }
    }
}

impl Session {
    /// The log-in that is stored for the server's origin; `None` if there is none.
    pub fn open(server: Server, file: LoginFile) -> Result<Option<Self>> {
        let logins = file.read()?;
        let Some(login) = logins.get(server.origin()) else { return Ok(None) };
        let (account, current) = (login.account.name(), Mutex::new(Current::of(login)?));
        Ok(Some(Self { server, file, account, current, renewing: tokio::sync::Mutex::default() }))
    }

    /// The name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The token of the next request, renewed if it is due.
    pub async fn token(&self) -> Result<Token> {
        match self.fresh() {
            Some(token) => Ok(token),
            None => self.renewed(None).await,
        }
    }

    /// The token to use after the server has refused `refused`, before its time: it was revoked, or a clock is wrong.
    pub async fn instead_of(&self, refused: &Token) -> Result<Token> {
        self.renewed(Some(refused)).await
    }

    /// The token if it is not due to be renewed. Every request asks, so no more than the token is copied.
    fn fresh(&self) -> Option<Token> {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        current.serves(None, now()).then(|| current.token.clone())
    }

    fn current(&self) -> Current {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Dropping the future gives up; a renewal that the server has begun then gives the same tokens to whoever renews
    /// within the next seconds.
    async fn renewed(&self, refused: Option<&Token>) -> Result<Token> {
        let mut renewing = self.renewing.lock().await;
        if let Some(ended) = &renewing.ended {
            return Err(ended.clone().into());
        }
        let (current, now) = (self.current(), now());
        if current.serves(refused, now) {
            return Ok(current.token);
        }
        let can_wait = refused.is_none() && !current.login.is_expired(now);
        if can_wait && renewing.pause_until.is_some_and(|until| Instant::now() < until) {
            return Ok(current.token);
        }
        match self.renew(refused).await {
            Ok(renewed) => {
                let token = renewed.token.clone();
                *self.current.lock().unwrap_or_else(PoisonError::into_inner) = renewed;
                Ok(token)
            }
            Err(error) => match error.downcast::<LoginEnded>() {
                Ok(ended) => {
                    renewing.ended = Some(ended.clone());
                    Err(ended.into())
                }
                Err(error) if can_wait => {
                    tracing::debug!(%error, "the log-in is renewed later");
                    renewing.pause_until = Some(Instant::now() + PAUSE);
                    Ok(current.token)
                }
                Err(error) => Err(error),
            },
        }
    }

    /// Takes what another command has stored meanwhile, or renews the log-in and stores it.
    async fn renew(&self, refused: Option<&Token>) -> Result<Current> {
        let locked = self.file.lock().await?;
        let mut logins = locked.read()?;
        let origin = self.server.origin();
        let stored = logins.get(origin).filter(|login| login.account.name() == self.account);
        let Some(login) = stored.cloned() else {
            bail!(self.ended("it was replaced or logged out"));
        };
        let current = Current::of(&login)?;
        if current.serves(refused, now()) {
            return Ok(current);
        }
        let asked_at = now();
        let tokens = match renew(&self.server, &login.account).await {
            Ok(tokens) => tokens,
            Err(RenewalError::Refused(reason)) => bail!(self.ended(reason)),
            Err(error) => bail!(error),
        };
        let renewed = StoredLogin::new(login.account, tokens, asked_at);
        logins.insert(origin, renewed.clone());
        locked.replace(&logins)?;
        Current::of(&renewed)
    }

    fn ended(&self, reason: impl Into<String>) -> LoginEnded {
        let origin = self.server.origin().to_string();
        LoginEnded { account: self.account.clone(), origin, reason: reason.into() }
    }
}

/// Seconds since 1970 by the clock of this machine.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
