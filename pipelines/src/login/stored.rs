//! What is stored of a log-in, and for how long it serves.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use crate::remote::Token;

/// The part of a token's life that is left when it is renewed. It leaves time for a server that is away for a while.
const RENEW_BEFORE: u64 = 5;

/// Whose log-in it is, and what renews it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Account {
    /// A person, whose refresh token gives the next token and the next refresh token.
    Person {
        /// The email address or username, as it was typed.
        login: String,
        /// The refresh token, which can be used once.
        refresh_token: Secret,
    },
    /// A machine client.
    Client {
        /// The id of the client.
        id: String,
        /// The secret, if it was to be kept. Without it, the log-in ends with its access token.
        #[serde(skip_serializing_if = "Option::is_none")]
        secret: Option<Secret>,
    },
}

impl Account {
    /// How messages name the account.
    pub fn name(&self) -> String {
        match self {
            Self::Person { login, .. } => login.clone(),
            Self::Client { id, .. } => format!("client {id}"),
        }
    }

    /// Whether something can renew the log-in.
    pub fn is_renewable(&self) -> bool {
        !matches!(self, Self::Client { secret: None, .. })
    }
}

/// A log-in at one server. Times are seconds since 1970 by the clock of this machine, so that a server whose clock
/// differs does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredLogin {
    /// The account.
    pub account: Account,
    /// The access token.
    pub access_token: Secret,
    /// When the access token is to be renewed.
    pub renew_at: u64,
    /// When the access token ends.
    pub expires_at: u64,
}

/// The answer of a server to a log-in or a renewal: RFC 6749, section 5.1.
#[derive(Clone, Debug, Deserialize)]
pub struct Tokens {
    /// The access token.
    pub access_token: Secret,
    /// The seconds for which it is valid.
    pub expires_in: u64,
    /// The refresh token of a person.
    pub refresh_token: Option<Secret>,
}

impl StoredLogin {
    /// A log-in with these tokens, which were asked for at `now`.
    pub fn new(mut account: Account, tokens: Tokens, now: u64) -> Self {
        if let (Account::Person { refresh_token, .. }, Some(next)) = (&mut account, tokens.refresh_token) {
            *refresh_token = next;
        }
        let expires_at = now.saturating_add(tokens.expires_in);
        let renew_at = match account.is_renewable() {
            true => expires_at.saturating_sub(tokens.expires_in / RENEW_BEFORE),
            false => expires_at,
        };
        Self { account, access_token: tokens.access_token, renew_at, expires_at }
    }

    /// The access token as requests carry it; `None` if the file has been changed to something that is no token.
    pub fn token(&self) -> Option<Token> {
        self.access_token.reveal().parse().ok()
    }

    /// Whether the access token can be used at `now` without being renewed.
    pub fn is_fresh(&self, now: u64) -> bool {
        now < self.renew_at
    }

    /// Whether the access token has ended at `now`.
    pub fn is_expired(&self, now: u64) -> bool {
        now >= self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(expires_in: u64) -> Tokens {
        let secret = |text: &str| Secret::from(text.to_owned());
        Tokens { access_token: secret("access"), expires_in, refresh_token: Some(secret("next")) }
    }

    #[test]
    fn a_log_in_is_renewed_before_it_ends_if_something_can_renew_it() {
        let person = Account::Person { login: "ada".to_owned(), refresh_token: "first".to_owned().into() };
        let login = StoredLogin::new(person, tokens(900), 1_000);
        assert_eq!((login.renew_at, login.expires_at), (1_720, 1_900));
        assert!(login.is_fresh(1_719) && !login.is_fresh(1_720));
        assert!(!login.is_expired(1_899) && login.is_expired(1_900));
        let Account::Person { refresh_token, .. } = &login.account else { panic!("{login:?}") };
        assert_eq!(refresh_token.reveal(), "next");
        let client = Account::Client { id: "shop".to_owned(), secret: None };
        let login = StoredLogin::new(client, tokens(900), 1_000);
        assert_eq!((login.renew_at, login.expires_at), (1_900, 1_900));
    }
}
