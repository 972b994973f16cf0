//! Accounts: people, machine clients, and the tokens with which they use the API.
//!
//! The path of a request with a token: [`TokenAuthenticator`] checks the signature and the times, and looks into the
//! list of revocations; both are in memory, and the store is not asked. The path of a log-in: [`routes`] → handler →
//! [`Accounts`] → limits on guessing → hash → one transaction of the store → an access token that is signed, and a
//! refresh token that is derived.
//!
//! Personal data is here and nowhere else: orders carry only an account's id.

mod attempts;
mod authenticator;
mod http;
pub mod metrics;
mod names;
mod passwords;
mod revocations;
mod service;
mod settings;
mod store;
mod tokens;

pub use authenticator::{ListTooOld, Refused, TokenAuthenticator};
pub use http::{declared, routes};
pub use service::{
    Accounts, Client, FirstAdmin, LoadError, NewClient, NewClientSecret, NewPerson, Person, PersonChange,
    PersonFilter, RefreshError, StoreWatch, Tokens,
};
pub use settings::AccountsSettings;
pub use store::{StoreError, StoreLocation};

#[cfg(test)]
mod tests;
