//! The list of what was revoked: tokens by their id, and accounts by the generation that counts from now on.
//!
//! Every process holds the list in memory and asks the store for new entries every second, so that checking a token
//! needs no store. An entry is kept until every token that it is about has expired, so the list is bounded by what was
//! revoked within the lifetime of a token.

use std::collections::HashMap;

use compact_str::CompactString;
use orderflow_schemas::Timestamp;
use uuid::Uuid;

use crate::tokens::{Claims, InvalidToken};

/// The generation of an account that is gone: no token of it is accepted.
pub const GONE: i64 = i64::MAX;

/// One entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// This token, or the tokens of this session.
    Token(Uuid),
    /// All tokens of this account with an earlier generation.
    Account {
        /// The account.
        subject: CompactString,
        /// The least generation that is accepted.
        generation: i64,
    },
}

/// The entries that matter still.
#[derive(Clone, Debug, Default)]
pub struct RevocationList {
    tokens: HashMap<Uuid, Timestamp>,
    accounts: HashMap<CompactString, (i64, Timestamp)>,
    /// The number of the newest entry that was read from the store.
    pub read_to: i64,
}

impl RevocationList {
    /// Adds an entry that matters until `until`.
    pub fn add(&mut self, revocation: Revocation, until: Timestamp) {
        match revocation {
            Revocation::Token(id) => {
                self.tokens.insert(id, until);
            }
            Revocation::Account { subject, generation } => {
                let entry = self.accounts.entry(subject).or_insert((generation, until));
                *entry = (entry.0.max(generation), entry.1.max(until));
            }
        }
    }

    /// Forgets what does not matter any more at this time.
    pub fn forget(&mut self, now: Timestamp) {
        self.tokens.retain(|_, until| *until > now);
        self.accounts.retain(|_, (_, until)| *until > now);
    }

    /// An error if the token with these claims was revoked.
    pub fn check(&self, claims: &Claims) -> Result<(), InvalidToken> {
        let is_old = self.accounts.get(&claims.sub).is_some_and(|(least, _)| claims.generation < *least);
        let is_revoked = |id| self.tokens.contains_key(id);
        if is_old || is_revoked(&claims.jti) || claims.sid.as_ref().is_some_and(is_revoked) {
            return Err(InvalidToken::Revoked);
        }
        Ok(())
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.tokens.len() + self.accounts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn claims(subject: &str, id: u128, generation: i64) -> Claims {
        Claims {
            iss: String::new(),
            sub: subject.into(),
            role: "customer".into(),
            scope: String::new(),
            iat: 0,
            exp: 10,
            jti: Uuid::from_u128(id),
            generation,
            sid: None,
            client_id: None,
        }
    }

    #[test]
    fn tokens_and_generations_are_refused_until_they_have_expired_anyway() {
        let mut list = RevocationList::default();
        list.add(Revocation::Token(Uuid::from_u128(1)), at(10));
        list.add(Revocation::Account { subject: "ann".into(), generation: 3 }, at(20));
        // An older entry that arrives later changes nothing.
        list.add(Revocation::Account { subject: "ann".into(), generation: 2 }, at(15));
        assert!(list.check(&claims("bob", 1, 1)).is_err());
        assert!(list.check(&claims("bob", 2, 1)).is_ok());
        assert!(list.check(&claims("ann", 2, 2)).is_err());
        assert!(list.check(&claims("ann", 2, 3)).is_ok());
        list.forget(at(10));
        assert_eq!(list.len(), 1);
        list.forget(at(20));
        assert_eq!(list.len(), 0);
    }
}
