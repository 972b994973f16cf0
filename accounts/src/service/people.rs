//! People: registering, looking, changing, disabling.

use std::num::NonZeroU32;

use orderflow_schemas::{
    Role, Timestamp,
    lists::{Counted, Slice, Start},
};
use orderflow_web::{Allowance, ClientAddress, FieldError, Problem, access::RoleName, too_many};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{Accounts, passwords::weak};
use crate::{
    names::{Email, check_name, name_key, username_key},
    passwords::{Password, WeakPassword},
    store::{Row, StoreError, sql},
};

/// A person's account, as the person and admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Person {
    /// The id: the customer id of the person's orders.
    pub id: Uuid,
    /// The email address.
    pub email: String,
    /// The username, if the person has one.
    pub username: Option<String>,
    /// The name.
    pub name: String,
    /// The role.
    #[serde(serialize_with = "role_name")]
    #[schemars(with = "RoleName")]
    pub role: Role,
    /// Whether the person cannot log in.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the person last logged in.
    pub last_login: Option<Timestamp>,
}

fn role_name<S: serde::Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

/// A person to register.
pub struct NewPerson {
    /// The email address.
    pub email: String,
    /// The username.
    pub username: Option<String>,
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
    /// The role.
    pub role: Role,
}

/// What changes in a person's account; `None` stays.
#[derive(Debug, Default)]
pub struct PersonChange {
    /// The email address.
    pub email: Option<String>,
    /// The username.
    pub username: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Whether the person cannot log in.
    pub disabled: Option<bool>,
}

/// Which people a list shows.
#[derive(Debug, Default)]
pub struct PersonFilter {
    /// A part of the name, email address or username, in any case.
    pub text: Option<String>,
    /// The role.
    pub role: Option<Role>,
}

pub(super) fn person(row: &Row) -> Result<Person, StoreError> {
    let role = Role::of_client(&row.text("role")?).ok_or(StoreError::Damaged("role"))?;
    Ok(Person {
        id: row.parse("id")?,
        email: row.text("email")?,
        username: row.optional_text("username")?,
        name: row.text("name")?,
        role,
        disabled: row.number("disabled")? != 0,
        created_at: Timestamp::from_micros(row.number("created_at")?),
        last_login: row.optional_number("last_login")?.map(Timestamp::from_micros),
    })
}

/// The fields of a person that were checked.
struct Checked {
    email: Option<Email>,
    username: Option<(String, String)>,
    name: Option<String>,
}

fn check(email: Option<String>, username: Option<String>, name: Option<String>) -> Result<Checked, Problem> {
    let mut errors = Vec::new();
    let mut note = |pointer: &str, detail: String| errors.push(FieldError::new(pointer, detail));
    let email =
        email.and_then(|email| Email::parse(&email).map_err(|error| note("/email", error.to_string())).ok());
    let username = username.and_then(|username| match username_key(&username) {
        Ok(key) => Some((username, key)),
        Err(error) => {
            note("/username", error.to_string());
            None
        }
    });
    if let Some(Err(error)) = name.as_deref().map(check_name) {
        note("/name", error.to_string());
    }
    if errors.is_empty() { Ok(Checked { email, username, name }) } else { Err(Problem::invalid(errors)) }
}

/// 409: another account has the email address or the username. Whoever registers learns this; see `docs/SECURITY.md`.
fn taken() -> Problem {
    Problem::conflict("account-exists", "another account has this email address or username")
}

impl Accounts {
    /// Makes the account of a person who registers. An address has a bound on registrations, because each costs a hash.
    pub async fn register(&self, new: NewPerson, address: ClientAddress) -> Result<Person, Problem> {
        let rate = NonZeroU32::new(self.settings.registrations_per_address);
        if let (Some(rate), Some(network)) = (rate, address.network()) {
            let allowance = Allowance::per_minute(rate);
            let taken = self.registrations.take(network, allowance);
            taken.map_err(|refused| too_many("registration", allowance, refused))?;
        }
        self.add_person(new, None).await
    }

    /// Makes an account. `actor` is who makes it; a person who registers has no account yet.
    pub async fn add_person(&self, new: NewPerson, actor: Option<&str>) -> Result<Person, Problem> {
        let NewPerson { email, username, name, password, role } = new;
        let typed = Password::typed(&password).ok_or_else(|| weak("/password", &WeakPassword::Length))?;
        let Checked { email: Some(email), username, name: Some(name) } =
            check(Some(email), username, Some(name))?
        else {
            return Err(Problem::internal("a field that was given is not there"));
        };
        let (username, username_key) = username.unzip();
        let words =
            [Some(&email.text), username.as_ref(), Some(&name)].into_iter().flatten().cloned().collect();
        let hash = self.hasher.hash(typed, words).await?.map_err(|error| weak("/password", &error))?;
        let id = Uuid::now_v7().to_string();
        let insert = sql!(
            "INSERT INTO users (id, email, email_key, username, username_key, name, name_key, role, password_hash, \
             disabled, generation, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 1, $10) \
             ON CONFLICT DO NOTHING \
             RETURNING id, email, username, name, role, disabled, created_at, last_login",
            id.as_str(),
            email.text,
            email.key,
            username,
            username_key,
            name.as_str(),
            name_key(&name),
            role.as_str(),
            hash,
            self.now().as_micros(),
        );
        let audit = self.audit(
            actor.unwrap_or(&id),
            "create",
            &id,
            &["email", "username", "name", "role", "password"],
        );
        let rows = self.store.transact(insert, vec![audit]).await?;
        Ok(person(rows.first().ok_or_else(taken)?)?)
    }

    /// A person; 404 if there is none.
    pub async fn person(&self, id: Uuid) -> Result<Person, Problem> {
        let rows = self.store.fetch(sql!(
            "SELECT id, email, username, name, role, disabled, created_at, last_login FROM users WHERE id = $1",
            id.to_string(),
        ));
        let rows = rows.await?;
        Ok(person(rows.first().ok_or_else(|| no_such_person(id))?)?)
    }

    /// People, the newest first.
    pub async fn people(&self, filter: &PersonFilter, slice: &Slice<Uuid>) -> Result<Vec<Person>, Problem> {
        let (after, skip) = match &slice.start {
            Start::First => (None, 0),
            Start::After(id) => (Some(id.to_string()), 0),
            Start::Skip(count) => (None, i64::try_from(*count).unwrap_or(i64::MAX)),
        };
        let rows = self.store.fetch(sql!(
            "SELECT id, email, username, name, role, disabled, created_at, last_login FROM users \
             WHERE ($1 IS NULL OR role = $1) AND ($2 IS NULL OR name_key LIKE $2 ESCAPE '\\' OR email_key LIKE $2 ESCAPE '\\' \
             OR username_key LIKE $2 ESCAPE '\\') \
             AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4 OFFSET $5",
            filter.role.map(|role| role.as_str().to_owned()),
            filter.text.as_deref().map(pattern),
            after,
            i64::from(slice.limit),
            skip,
        ));
        Ok(rows.await?.iter().map(person).collect::<Result<_, _>>()?)
    }

    /// The ids of the people with this name, or whose name has this part, in any case; at most `limit`.
    pub async fn ids_by_name(&self, name: &str, is_part: bool, limit: u32) -> Result<Vec<String>, Problem> {
        let (exact, part) = if is_part { (None, Some(pattern(name))) } else { (Some(name_key(name)), None) };
        let rows = self.store.fetch(sql!(
            "SELECT id FROM users \
             WHERE ($1 IS NULL OR name_key = $1) AND ($2 IS NULL OR name_key LIKE $2 ESCAPE '\\') \
             ORDER BY id DESC LIMIT $3",
            exact,
            part,
            i64::from(limit),
        ));
        Ok(rows.await?.iter().map(|row| row.text("id")).collect::<Result<_, _>>()?)
    }

    /// How many people a list shows.
    pub async fn count_people(&self, filter: &PersonFilter) -> Result<Counted, Problem> {
        let rows = self.store.fetch(sql!(
            "SELECT count(*) AS n FROM users \
             WHERE ($1 IS NULL OR role = $1) AND ($2 IS NULL OR name_key LIKE $2 ESCAPE '\\' OR email_key LIKE $2 ESCAPE '\\' \
             OR username_key LIKE $2 ESCAPE '\\')",
            filter.role.map(|role| role.as_str().to_owned()),
            filter.text.as_deref().map(pattern),
        ));
        let count = rows.await?.first().map_or(Ok(0), |row| row.number("n"))?;
        Ok(Counted { count: count.unsigned_abs(), is_exact: true })
    }

    /// Changes a person's account. A change that states the role, or whether the person is disabled, ends the person's
    /// sessions and tokens; whether it differs from before is not asked, since another request may change it meanwhile.
    /// 409 if no admin who can log in would be left.
    pub async fn change_person(
        &self,
        id: Uuid,
        change: PersonChange,
        actor: &str,
    ) -> Result<Person, Problem> {
        let PersonChange { email, username, name, role, disabled } = change;
        let Checked { email, username, name } = check(email, username, name)?;
        let mut fields = Vec::new();
        for (field, is_given) in [
            ("email", email.is_some()),
            ("username", username.is_some()),
            ("name", name.is_some()),
            ("role", role.is_some()),
            ("disabled", disabled.is_some()),
        ] {
            fields.extend(is_given.then_some(field));
        }
        if fields.is_empty() {
            return self.person(id).await;
        }
        let ends_sessions = role.is_some() || disabled.is_some();
        let is_other_address = email.is_some();
        let (username, username_key) = username.unzip();
        let name_key = name.as_deref().map(name_key);
        let key = id.to_string();
        let (email, email_key) = email.map(|email| (email.text, email.key)).unzip();
        let update = sql!(
            "UPDATE users SET email = COALESCE($2, email), email_key = COALESCE($3, email_key), \
             username = COALESCE($4, username), username_key = COALESCE($5, username_key), \
             name = COALESCE($6, name), name_key = COALESCE($7, name_key), role = COALESCE($8, role), \
             disabled = COALESCE($9, disabled), generation = generation + $10 \
             WHERE id = $1 AND ((COALESCE($8, role) = 'admin' AND COALESCE($9, disabled) = 0) \
             OR NOT (role = 'admin' AND disabled = 0) \
             OR EXISTS (SELECT 1 FROM users AS other WHERE other.role = 'admin' AND other.disabled = 0 AND other.id <> $1)) \
             RETURNING id, email, username, name, role, disabled, created_at, last_login, generation",
            key.as_str(),
            email,
            email_key,
            username,
            username_key,
            name,
            name_key,
            role.map(|role| role.as_str().to_owned()),
            disabled.map(i64::from),
            i64::from(ends_sessions),
        );
        let mut then = vec![self.audit(actor, "change", &key, &fields)];
        if ends_sessions || is_other_address {
            // A code went to whom the account belonged then.
            then.push(sql!("DELETE FROM resets WHERE user_id = $1", key.as_str()));
        }
        if ends_sessions {
            then.push(sql!("DELETE FROM sessions WHERE user_id = $1", key.as_str()));
            then.push(self.revocation_of_person(&key));
        }
        let changed = match self.store.transact(update, then).await {
            Err(StoreError::Conflict(_)) => return Err(taken()),
            changed => changed?,
        };
        let Some(row) = changed.first() else {
            // Either there is no such person, or the person is the last admin.
            self.person(id).await?;
            return Err(last_admin());
        };
        if ends_sessions {
            self.revoke_account(&key, row.number("generation")?);
        }
        Ok(person(row)?)
    }

    /// Changes the own account of a person. Whoever has the email address can be sent what resets a password, so another
    /// address needs the current password. An address that is the stored one already changes nothing.
    pub async fn change_own_account(
        &self,
        id: Uuid,
        mut change: PersonChange,
        current_password: Option<&str>,
        address: ClientAddress,
    ) -> Result<Person, Problem> {
        let stored = self.person(id).await?;
        change.email = change.email.filter(|email| *email != stored.email);
        match current_password {
            Some(current) => drop(self.check_own_password(id, current, address).await?),
            None if change.email.is_some() => {
                let detail = "is needed to change the email address";
                return Err(Problem::invalid(vec![FieldError::new("/current_password", detail)]));
            }
            None => {}
        }
        self.change_person(id, change, &id.to_string()).await
    }
}

/// A pattern of LIKE that finds the text anywhere.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in text.to_lowercase().chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

pub(super) fn no_such_person(id: Uuid) -> Problem {
    Problem::not_found("user-not-found", format!("there is no user {id}"))
}

pub(super) fn last_admin() -> Problem {
    Problem::conflict("last-admin", "no admin who can log in would be left")
}
