//! The first admin, from the environment: made once, in a store that never had one.

use std::fmt;

use orderflow_schemas::Role;
use uuid::Uuid;

use super::Accounts;
use crate::{
    names::Email,
    passwords::Password,
    store::{StoreError, sql},
};

/// The email address and password of the first admin.
#[derive(Clone)]
pub struct FirstAdmin {
    /// The email address.
    pub email: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for FirstAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FirstAdmin(…)")
    }
}

/// The first admin cannot be made as the environment says.
#[derive(Debug, thiserror::Error)]
pub enum FirstAdminError {
    /// The email address or the password is not accepted.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Makes the first admin if the store never had one. Later starts change nothing, so that a changed password, a
    /// demotion or an erasure stays.
    pub(super) async fn make_first_admin(&self) -> Result<(), FirstAdminError> {
        let had = self.store.fetch(sql!("SELECT name FROM secrets WHERE name = 'first admin'")).await?;
        let Some(FirstAdmin { email, password }) = &self.first_admin else {
            if had.is_empty() {
                tracing::warn!(
                    "there is no admin yet: set ORDERFLOW_ADMIN_EMAIL and ORDERFLOW_ADMIN_PASSWORD for one start"
                );
            }
            return Ok(());
        };
        if !had.is_empty() {
            tracing::info!(
                "this store has had its first admin: ORDERFLOW_ADMIN_EMAIL and …_PASSWORD have no effect"
            );
            return Ok(());
        }
        let invalid = |field: &str, error: &dyn fmt::Display| {
            FirstAdminError::Invalid(format!("ORDERFLOW_ADMIN_{field} {error}"))
        };
        let email = Email::parse(email).map_err(|error| invalid("EMAIL", &error))?;
        let password =
            Password::typed(password).ok_or_else(|| invalid("PASSWORD", &"must have 8 to 128 letters"))?;
        let hash = self.hasher.hash(password, vec![email.text.clone()]).await;
        let hash = hash.map_err(|error| invalid("PASSWORD", &error))?;
        let hash = hash.map_err(|error| invalid("PASSWORD", &error))?;
        let id = Uuid::now_v7().to_string();
        let claim = sql!(
            "INSERT INTO secrets (name, value) VALUES ('first admin', $1) ON CONFLICT (name) DO NOTHING RETURNING name",
            id.as_bytes().to_vec(),
        );
        let insert = sql!(
            "INSERT INTO users (id, email, email_key, name, name_key, role, password_hash, disabled, generation, \
             created_at) VALUES ($1, $2, $3, 'Admin', 'admin', $4, $5, 0, 1, $6)",
            id.as_str(),
            email.text.as_str(),
            email.key,
            Role::Admin.as_str(),
            hash,
            self.now().as_micros(),
        );
        let audit = self.audit("environment", "create", &id, &["email", "name", "role", "password"]);
        match self.store.transact(claim, vec![insert, audit]).await {
            Err(StoreError::Conflict(_)) => Err(invalid(
                "EMAIL",
                &"is that of an account that exists: choose another, or remove that account",
            )),
            Err(error) => Err(error.into()),
            // Without a row, another process made the admin at the same time.
            Ok(_) => Ok(()),
        }
    }
}
