//! Checks access tokens, in every process by itself: with the keys, the list of revocations and a bounded cache, and
//! without asking the store.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use compact_str::CompactString;
use http::{HeaderMap, header};
use orderflow_schemas::Timestamp;
use orderflow_web::{Authenticator, Caller, Problem, headers};
use orderflow_world::World;
use quick_cache::sync::Cache;

use crate::{
    AccountsSettings,
    revocations::{Revocation, RevocationList},
    tokens::{AccessToken, InvalidToken, KeyRing},
};

/// What a process knows of the store, as of its last look.
#[derive(Default)]
struct Known {
    keys: KeyRing,
    revocations: RevocationList,
    /// The requests a second of machine clients that have a limit of their own. It is read with the revocations and is
    /// no claim of the token, so a changed limit applies to tokens that are out, and no client reads the limits of the
    /// operator in its token.
    request_rates: HashMap<CompactString, NonZeroU32>,
    /// When the store was read last; `None` before the first time.
    read_at: Option<Instant>,
}

/// Checks access tokens.
pub struct TokenAuthenticator {
    world: Arc<dyn World>,
    issuer: String,
    age_max: Duration,
    known: RwLock<Known>,
    cache: Cache<String, Arc<AccessToken>>,
}

/// The list of revocations is missing or too old, so no token can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not known which tokens were revoked, because the store of accounts is away")]
pub struct ListTooOld;

impl From<ListTooOld> for Problem {
    fn from(error: ListTooOld) -> Self {
        Self::unavailable("accounts-unavailable", error.to_string(), 1)
    }
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] InvalidToken),
    /// No token can be checked now.
    #[error(transparent)]
    List(#[from] ListTooOld),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::List(error) => error.into(),
            Refused::Token(error) => Self::invalid_token(error.to_string()),
        }
    }
}

impl TokenAuthenticator {
    /// An authenticator that knows nothing yet and refuses every token with 503.
    pub fn new(world: Arc<dyn World>, settings: &AccountsSettings) -> Self {
        Self {
            world,
            issuer: settings.issuer.clone(),
            age_max: Duration::from_secs(settings.revocations_age_s_max),
            known: RwLock::default(),
            cache: Cache::new(settings.cached_tokens_max),
        }
    }

    /// Checks an access token.
    pub fn check(&self, text: &str) -> Result<Arc<AccessToken>, Refused> {
        self.check_with_rate(text).map(|(token, _)| token)
    }

    /// Checks an access token. Also returns the requests a second of a machine client with a limit of its own.
    fn check_with_rate(&self, text: &str) -> Result<(Arc<AccessToken>, Option<NonZeroU32>), Refused> {
        let now = self.world.now();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.read_at.is_none_or(|read_at| read_at.elapsed() > self.age_max) {
            return Err(ListTooOld.into());
        }
        let cached = self.cache.get(text);
        let token = match cached {
            Some(token) if token.claims.expires_at() > now => token,
            Some(_) => {
                self.cache.remove(text);
                return Err(InvalidToken::Expired.into());
            }
            None => {
                let token = Arc::new(AccessToken::check(text, &known.keys, &self.issuer, now)?);
                self.cache.insert(text.to_owned(), token.clone());
                token
            }
        };
        known.revocations.check(&token.claims)?;
        let client = token.claims.client_id.as_ref();
        let rate = client.and_then(|id| known.request_rates.get(id)).copied();
        Ok((token, rate))
    }

    /// Takes over what was read from the store.
    pub fn update(&self, keys: KeyRing, entries: Vec<(i64, Revocation, Timestamp)>) {
        let now = self.world.now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.keys.ids() != keys.ids() {
            // A token that a removed key has signed must not stay in the cache.
            self.cache.clear();
        }
        known.keys = keys;
        for (number, revocation, until) in entries {
            known.revocations.add(revocation, until);
            known.revocations.read_to = known.revocations.read_to.max(number);
        }
        known.revocations.forget(now);
        known.read_at = Some(Instant::now());
    }

    /// Takes over the limits on the requests of machine clients.
    pub fn limit_clients(&self, request_rates: HashMap<CompactString, NonZeroU32>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.request_rates = request_rates;
    }

    /// Adds an entry at once, without waiting for the next look at the store.
    pub fn revoke(&self, revocation: Revocation, until: Timestamp) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.revocations.add(revocation, until);
    }

    /// The number of the newest entry that was read, and how many entries there are.
    pub fn progress(&self) -> (i64, usize) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        (known.revocations.read_to, known.revocations.len())
    }

    /// The valid keys.
    pub fn keys(&self) -> KeyRing {
        self.known.read().unwrap_or_else(PoisonError::into_inner).keys.clone()
    }
}

impl Authenticator for TokenAuthenticator {
    fn authenticate(&self, given: &HeaderMap) -> Result<Caller, Problem> {
        let (token, requests_per_second) = self.check_with_rate(bearer(given)?)?;
        let subject = token.claims.sub.clone();
        Ok(Caller { role: token.role, subject, scopes: token.scopes, requests_per_second })
    }
}

/// The token in `Authorization: Bearer …`, RFC 6750, section 2.1. Tokens in a query or a body are not looked at.
pub fn bearer(given: &HeaderMap) -> Result<&str, Problem> {
    let value = headers::single(given, &header::AUTHORIZATION)?;
    let missing = || Problem::unauthenticated("this needs an access token: Authorization: Bearer …");
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(token.trim()) } else { Err(missing()) }
}
