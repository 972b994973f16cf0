//! Sessions of people: log-in, refresh, log-out.

use std::time::Duration;

use orderflow_schemas::{Role, Timestamp};
use orderflow_web::{ClientAddress, Problem, Scopes};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Accounts, Subject};
use crate::{
    attempts::Account,
    authenticator::ListTooOld,
    names::Login,
    revocations::Revocation,
    store::{Row, StoreError, sql},
    tokens::{AccessToken, RefreshToken},
};

/// For this long, a refresh token that was used already leads to the same successor again, so that a lost answer and a
/// second tab harm nobody.
const GRACE: Duration = Duration::from_secs(10);
/// The most sessions of a person; the oldest end first.
const SESSIONS_MAX: i64 = 100;

/// What a client gets at a log-in and at each refresh, RFC 6749, section 5.1.
#[derive(Serialize, JsonSchema)]
pub struct Tokens {
    /// The access token.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: &'static str,
    /// The seconds for which the access token is valid.
    pub expires_in: u64,
    /// The refresh token; machine clients get none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The scopes of the access token.
    pub scope: String,
}

/// Why a refresh is refused.
#[derive(Debug)]
pub enum RefreshError {
    /// The token is not valid, or not any more.
    Invalid,
    /// The scopes are more than those of the session.
    Scope,
    /// The refresh cannot be answered now, or failed.
    Problem(Problem),
}

impl From<StoreError> for RefreshError {
    fn from(error: StoreError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<Problem> for RefreshError {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<ListTooOld> for RefreshError {
    fn from(error: ListTooOld) -> Self {
        Self::Problem(error.into())
    }
}

impl From<RefreshError> for Problem {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Invalid => Self::new(
                http::StatusCode::UNAUTHORIZED,
                "invalid-refresh-token",
                "the refresh token is not valid, or not any more: log in again",
            ),
            RefreshError::Scope => {
                Self::bad_request("invalid-scope", "the session has not all of these scopes")
            }
            RefreshError::Problem(problem) => problem,
        }
    }
}

/// 401, in the same words and after the same time whatever was wrong.
fn invalid_credentials() -> Problem {
    Problem::new(
        http::StatusCode::UNAUTHORIZED,
        "invalid-credentials",
        "no account that can log in has this name and this password",
    )
}

fn role_of(row: &Row) -> Result<Role, StoreError> {
    Role::of_client(&row.text("role")?).ok_or(StoreError::Damaged("role"))
}

impl Accounts {
    /// Logs a person in by email address or username. Nothing in the answer or its time tells whether there is such an
    /// account.
    pub async fn log_in(
        &self,
        login: &str,
        password: &str,
        address: ClientAddress,
    ) -> Result<Tokens, Problem> {
        let key = self.refresh_key()?;
        let attempt = self.attempts.begin(Account::Login(login), address).await?;
        let find = match Login::read(login) {
            Login::Email(email) => {
                sql!("SELECT id, password_hash, disabled FROM users WHERE email_key = $1", email)
            }
            Login::Username(username) => {
                sql!("SELECT id, password_hash, disabled FROM users WHERE username_key = $1", username)
            }
        };
        let rows = match self.store.fetch(find).await {
            Ok(rows) => rows,
            Err(error) => {
                attempt.did_not_happen();
                return Err(error.into());
            }
        };
        let found = rows.first();
        let hash = found.map(|row| row.text("password_hash")).transpose()?;
        let (attempt, is_right) = self.verify(attempt, password, hash.clone()).await?;
        let (Some(row), Some(hash), true) = (found, hash, is_right) else {
            return Err(invalid_credentials());
        };
        if row.number("disabled")? != 0 {
            return Err(invalid_credentials());
        }
        let id = row.text("id")?;
        let (now, session) = (self.now(), Uuid::new_v4());
        // The password and the right to log in are looked at again together with the change.
        let update = sql!(
            "UPDATE users SET last_login = $3 WHERE id = $1 AND password_hash = $2 AND disabled = 0 \
             RETURNING role, generation",
            id.as_str(),
            hash,
            now.as_micros(),
        );
        let scopes = Scopes::ALL;
        let then = vec![
            sql!(
                "INSERT INTO sessions (id, user_id, generation, rotated_at, scopes, created_at, expires_at) \
                 VALUES ($1, $2, 1, $3, $4, $3, $5)",
                session.to_string(),
                id.as_str(),
                now.as_micros(),
                scopes.to_string(),
                self.session_end(now).as_micros(),
            ),
            sql!(
                "DELETE FROM sessions WHERE user_id = $1 AND id NOT IN (SELECT id FROM sessions \
                 WHERE user_id = $1 ORDER BY created_at DESC LIMIT $2)",
                id.as_str(),
                SESSIONS_MAX,
            ),
        ];
        let rows = self.store.transact(update, then).await?;
        let Some(row) = rows.first() else { return Err(invalid_credentials()) };
        attempt.succeeded();
        let subject = Subject {
            id: id.into(),
            role: role_of(row)?,
            generation: row.number("generation")?,
            session: Some(session),
            is_client: false,
        };
        self.tokens(&subject, scopes, Some(key.encode(RefreshToken { session, generation: 1 })))
    }

    fn session_end(&self, now: Timestamp) -> Timestamp {
        now.plus(Duration::from_secs(self.settings.session_s))
    }

    /// Sessions that began before this time have reached their greatest age.
    pub(super) fn oldest_begin(&self, now: Timestamp) -> Timestamp {
        now.minus(Duration::from_secs(self.settings.session_age_s_max))
    }

    /// The answer with an access token whose scopes are those that the role can use.
    pub(super) fn tokens(
        &self,
        subject: &Subject,
        scopes: Scopes,
        refresh_token: Option<String>,
    ) -> Result<Tokens, Problem> {
        let scopes = scopes.and(Scopes::of_role(subject.role));
        Ok(Tokens {
            access_token: self.issue(subject, scopes)?,
            token_type: "Bearer",
            expires_in: self.settings.access_token_s,
            refresh_token,
            scope: scopes.to_string(),
        })
    }

    /// Exchanges a refresh token for an access token and the next refresh token. One atomic update finds the winner of
    /// several requests with the same token. For [`GRACE`] the others get the same successor; after that, a token that
    /// was used before ends its session: someone else has it.
    pub async fn refresh(&self, text: &str, wanted: Option<Scopes>) -> Result<Tokens, RefreshError> {
        let key = self.refresh_key()?;
        let token = key.decode(text).ok_or(RefreshError::Invalid)?;
        let (id, now) = (token.session.to_string(), self.now());
        let session = self.store.fetch(sql!(
            "SELECT scopes FROM sessions WHERE id = $1 AND expires_at > $2 AND created_at > $3",
            id.as_str(),
            now.as_micros(),
            self.oldest_begin(now).as_micros(),
        ));
        let session = session.await?;
        let scopes = session.first().ok_or(RefreshError::Invalid)?.text("scopes")?;
        let scopes = Scopes::parse(&scopes).map_err(|_| StoreError::Damaged("scopes"))?;
        let scopes = match wanted {
            Some(wanted) if !wanted.is_subset_of(scopes) => return Err(RefreshError::Scope),
            Some(wanted) => wanted,
            None => scopes,
        };
        let next = RefreshToken { generation: token.generation + 1, ..token };
        // The state of the person is read by the same statement, so no right that is taken away meanwhile slips in.
        let rotate = sql!(
            "UPDATE sessions SET generation = $3, rotated_at = $4, expires_at = $5 \
             WHERE id = $1 AND generation = $2 AND expires_at > $4 \
             AND user_id IN (SELECT users.id FROM users WHERE users.disabled = 0) RETURNING user_id, \
             (SELECT users.role FROM users WHERE users.id = user_id) AS role, \
             (SELECT users.generation FROM users WHERE users.id = user_id) AS user_generation",
            id.as_str(),
            token.generation,
            next.generation,
            now.as_micros(),
            self.session_end(now).as_micros(),
        );
        let won = self.store.transact(rotate, vec![]).await?;
        let row = match won.into_iter().next() {
            Some(row) => row,
            None => self.successor_again(&id, next, now).await?,
        };
        let subject = Subject {
            id: row.text("user_id")?.into(),
            role: role_of(&row)?,
            generation: row.number("user_generation")?,
            session: Some(token.session),
            is_client: false,
        };
        Ok(self.tokens(&subject, scopes, Some(key.encode(next)))?)
    }

    /// The person of a session whose token was used before, if that was a moment ago and led to `next`. Otherwise the
    /// session ends.
    async fn successor_again(
        &self,
        id: &str,
        next: RefreshToken,
        now: Timestamp,
    ) -> Result<Row, RefreshError> {
        let rows = self.store.fetch(sql!(
            "SELECT user_id, sessions.generation AS session_generation, rotated_at, role, disabled, \
             users.generation AS user_generation FROM sessions JOIN users ON users.id = user_id WHERE sessions.id = $1",
            id,
        ));
        let row = rows.await?.into_iter().next().ok_or(RefreshError::Invalid)?;
        if row.number("disabled")? != 0 {
            return Err(RefreshError::Invalid);
        }
        let rotated_at = Timestamp::from_micros(row.number("rotated_at")?);
        if row.number("session_generation")? == next.generation && now <= rotated_at.plus(GRACE) {
            return Ok(row);
        }
        let end = sql!("DELETE FROM sessions WHERE id = $1 RETURNING user_id", id);
        let user = row.text("user_id")?;
        let then =
            vec![self.revocation_of_token(next.session), self.audit(&user, "end reused session", &user, &[])];
        self.store.transact(end, then).await?;
        self.authenticator.revoke(Revocation::Token(next.session), self.revoked_until());
        tracing::warn!(user, "a refresh token was used again, so its session has ended");
        Err(RefreshError::Invalid)
    }

    /// Ends the session of a token. The token and the session's other tokens are refused from then on.
    pub async fn log_out(&self, token: &AccessToken) -> Result<(), Problem> {
        let id = token.claims.sid.unwrap_or(token.claims.jti);
        let revoke = sql!(
            "INSERT INTO revocations (token_id, expires_at) VALUES ($1, $2) RETURNING token_id",
            id.to_string(),
            self.revoked_until().as_micros(),
        );
        let then = vec![sql!("DELETE FROM sessions WHERE id = $1", id.to_string())];
        self.store.transact(revoke, then).await?;
        self.authenticator.revoke(Revocation::Token(id), self.revoked_until());
        Ok(())
    }
}
