//! The settings of accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountsSettings {
    /// The issuer in tokens. Tokens of another issuer are refused.
    pub issuer: String,
    /// A file with the key that signs tokens, Ed25519 in PKCS#8 as PEM, in place of keys in the store. It is read once,
    /// at the start.
    #[schemars(extend("x-value" = "FILE"))]
    pub signing_key_file: Option<std::path::PathBuf>,
    /// How long an access token is valid.
    #[schemars(range(min = 10, max = 86_400))]
    pub access_token_s: u64,
    /// How long a person stays logged in without using it.
    #[schemars(range(min = 60))]
    pub session_s: u64,
    /// How long a session lasts at most, however often it is refreshed. Then the person logs in again.
    #[schemars(range(min = 60))]
    pub session_age_s_max: u64,
    /// How long a code to set a forgotten password is valid.
    #[schemars(range(min = 60))]
    pub reset_code_s: u64,
    /// After this many days a new key signs tokens.
    #[schemars(range(min = 1))]
    pub signing_key_days: u64,
    /// How old the list of revoked tokens may become while the store of accounts is away. Beyond it: 503 for every token.
    #[schemars(range(min = 5))]
    pub revocations_age_s_max: u64,
    /// Checked tokens that are remembered.
    #[schemars(range(min = 1))]
    pub cached_tokens_max: usize,
    /// Threads that hash passwords.
    #[schemars(range(min = 1, max = 64))]
    pub hash_threads: usize,
    /// Requests that may wait for a hash. Beyond it: 503 `overloaded`.
    #[schemars(range(min = 1))]
    pub hashes_waiting_max: usize,
    /// Failed log-ins a minute for one account from one address. Beyond it: 429 `too-many-failures`.
    #[schemars(range(min = 1, max = 1_000))]
    pub failures_per_account_and_address: u32,
    /// Failed log-ins a minute from one address.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures_per_address: u32,
    /// Failed log-ins in a row for one account, from all addresses together. Then it is blocked for a quarter of an hour.
    #[schemars(range(min = 1, max = 10_000))]
    pub failures_in_a_row: u32,
    /// Registrations a minute from one address, which may come at once; 0 for no limit. Beyond it: 429
    /// `too-many-requests`. Addresses of IPv6 count by their /64.
    #[schemars(range(max = 1_000_000))]
    pub registrations_per_address: u32,
    /// Accounts and addresses whose failures are remembered, and addresses whose registrations are.
    #[schemars(range(min = 100))]
    pub failures_remembered_max: usize,
}

impl Default for AccountsSettings {
    fn default() -> Self {
        Self {
            issuer: "orderflow".to_owned(),
            signing_key_file: None,
            access_token_s: 900,
            session_s: 30 * 86_400,
            session_age_s_max: 90 * 86_400,
            reset_code_s: 3_600,
            signing_key_days: 30,
            revocations_age_s_max: 60,
            cached_tokens_max: 10_000,
            hash_threads: 1,
            hashes_waiting_max: 64,
            failures_per_account_and_address: 5,
            failures_per_address: 100,
            failures_in_a_row: 100,
            registrations_per_address: 20,
            failures_remembered_max: 100_000,
        }
    }
}
