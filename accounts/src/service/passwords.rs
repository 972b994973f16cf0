//! Passwords of people: checking, changing, and one-time codes for those who have forgotten theirs.

use std::time::Duration;

use orderflow_web::{ClientAddress, FieldError, Problem};
use uuid::Uuid;

use super::{Accounts, digest, people::no_such_person, random};
use crate::{
    attempts::{Account, Attempt},
    passwords::{Password, WeakPassword},
    store::sql,
};

pub(super) fn weak(pointer: &str, weak: &WeakPassword) -> Problem {
    Problem::invalid(vec![FieldError::new(pointer, weak.to_string())])
}

/// Why somebody may set a password.
enum Proof {
    /// The current password, which has this hash.
    Hash(String),
    /// A one-time code with this digest.
    Code(Vec<u8>),
}

impl Accounts {
    /// Changes a password. All sessions and tokens of the person end. The current password is asked for, with the same
    /// limits as a log-in.
    pub async fn change_password(
        &self,
        id: Uuid,
        current: &str,
        new: &str,
        address: ClientAddress,
    ) -> Result<(), Problem> {
        let typed = Password::typed(new).ok_or_else(|| weak("/new_password", &WeakPassword::Length))?;
        let stored = self.check_own_password(id, current, address).await?;
        let key = id.to_string();
        let stored = stored.ok_or_else(|| no_such_person(id))?;
        self.set_password(&key, Proof::Hash(stored), typed, "/new_password").await
    }

    /// Checks the password of a person who is logged in, with the same limits as a log-in. Returns the stored hash.
    pub(super) async fn check_own_password(
        &self,
        id: Uuid,
        current: &str,
        address: ClientAddress,
    ) -> Result<Option<String>, Problem> {
        let key = id.to_string();
        let attempt = self.attempts.begin(Account::Person(&key), address).await?;
        let rows =
            self.store.fetch(sql!("SELECT password_hash FROM users WHERE id = $1", key.as_str())).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                attempt.did_not_happen();
                return Err(error.into());
            }
        };
        let stored = rows.first().map(|row| row.text("password_hash")).transpose()?;
        let (attempt, is_right) = self.verify(attempt, current, stored.clone()).await?;
        if !is_right {
            return Err(Problem::invalid(vec![FieldError::new(
                "/current_password",
                "is not the current password",
            )]));
        }
        attempt.succeeded();
        Ok(stored)
    }

    /// Compares a password with a stored hash. If too many requests wait for a hash, the password is not checked, and the
    /// attempt does not count: otherwise a flood of log-ins would block those who know their password.
    pub(super) async fn verify(
        &self,
        attempt: Attempt,
        password: &str,
        stored: Option<String>,
    ) -> Result<(Attempt, bool), Problem> {
        match self.hasher.verify(Password::typed(password), stored).await {
            Ok(is_right) => Ok((attempt, is_right)),
            Err(full) => {
                attempt.did_not_happen();
                Err(full.into())
            }
        }
    }

    /// Sets a password, if the proof still holds at that moment. All sessions and tokens of the person end.
    async fn set_password(
        &self,
        id: &str,
        proof: Proof,
        password: Password,
        pointer: &str,
    ) -> Result<(), Problem> {
        let rows =
            self.store.fetch(sql!("SELECT email, username, name FROM users WHERE id = $1", id)).await?;
        let mut words = Vec::new();
        if let Some(row) = rows.first() {
            words.extend([row.text("email")?, row.text("name")?]);
            words.extend(row.optional_text("username")?);
        }
        let hash = self.hasher.hash(password, words).await?.map_err(|error| weak(pointer, &error))?;
        let update = match proof {
            Proof::Hash(before) => sql!(
                "UPDATE users SET password_hash = $2, generation = generation + 1 \
                 WHERE id = $1 AND password_hash = $3 RETURNING generation",
                id,
                hash,
                before,
            ),
            Proof::Code(code) => sql!(
                "UPDATE users SET password_hash = $2, generation = generation + 1 \
                 WHERE id = $1 AND EXISTS (SELECT 1 FROM resets \
                 WHERE user_id = $1 AND code_hash = $3 AND expires_at > $4) RETURNING generation",
                id,
                hash,
                code,
                self.now().as_micros(),
            ),
        };
        let then = vec![
            sql!("DELETE FROM sessions WHERE user_id = $1", id),
            sql!("DELETE FROM resets WHERE user_id = $1", id),
            self.revocation_of_person(id),
            self.audit(id, "change", id, &["password"]),
        ];
        let changed = self.store.transact(update, then).await?;
        let row = changed.first().ok_or_else(|| {
            Problem::conflict("password-changed", "the password was changed by another request meanwhile")
        })?;
        self.revoke_account(id, row.number("generation")?);
        Ok(())
    }

    /// Makes a one-time code with which a person who has forgotten the password sets a new one. A further code replaces
    /// it. Returns the code, which is not stored, and how long it is valid.
    pub async fn reset_password(&self, id: Uuid, actor: &str) -> Result<(String, Duration), Problem> {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

        let valid = Duration::from_secs(self.settings.reset_code_s);
        let code = URL_SAFE_NO_PAD.encode(random::<32>());
        let key = id.to_string();
        let insert = sql!(
            "INSERT INTO resets (user_id, code_hash, expires_at) SELECT id, $2, $3 FROM users WHERE id = $1 \
             ON CONFLICT (user_id) DO UPDATE SET code_hash = excluded.code_hash, expires_at = excluded.expires_at \
             RETURNING user_id",
            key.as_str(),
            digest(&code),
            self.now().plus(valid).as_micros(),
        );
        let audit = self.audit(actor, "reset", &key, &["password"]);
        let made = self.store.transact(insert, vec![audit]).await?;
        if made.is_empty() { Err(no_such_person(id)) } else { Ok((code, valid)) }
    }

    /// Sets a new password with a one-time code.
    pub async fn redeem_reset(&self, code: &str, new: &str, address: ClientAddress) -> Result<(), Problem> {
        let typed = Password::typed(new).ok_or_else(|| weak("/password", &WeakPassword::Length))?;
        let invalid = || Problem::bad_request("invalid-code", "the code is not valid, or not any more");
        let attempt = self.attempts.begin(Account::Code(code), address).await?;
        let found = self.store.fetch(sql!(
            "SELECT user_id FROM resets WHERE code_hash = $1 AND expires_at > $2",
            digest(code),
            self.now().as_micros(),
        ));
        let rows = match found.await {
            Ok(rows) => rows,
            Err(error) => {
                attempt.did_not_happen();
                return Err(error.into());
            }
        };
        let Some(row) = rows.first() else { return Err(invalid()) };
        attempt.succeeded();
        let id = row.text("user_id")?;
        // A password that is refused leaves the code as it is; setting one uses it up.
        self.set_password(&id, Proof::Code(digest(code)), typed, "/password").await
    }
}
