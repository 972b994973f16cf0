//! Machine clients: programs that act for themselves, with an id and a secret.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use orderflow_schemas::{Role, Timestamp};
use orderflow_web::{ClientAddress, FieldError, Problem, Scopes, access::RoleName};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{Accounts, Subject, Tokens, digest, random};
use crate::{
    attempts::Account,
    names::check_name,
    revocations::GONE,
    store::{Row, StoreError, sql},
};

/// The most clients that a list shows.
const CLIENTS_MAX: i64 = 1_000;
/// The roles that a client can have.
const ROLES: [Role; 3] = [Role::Service, Role::Courier, Role::Analyst];

/// A client, as admins see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Client {
    /// The id, with which the client authenticates.
    pub id: Uuid,
    /// What the client is.
    pub name: String,
    /// The role.
    #[serde(serialize_with = "role_name")]
    #[schemars(with = "RoleName")]
    pub role: Role,
    /// The scopes that the client may ask for, with spaces between.
    #[serde(serialize_with = "as_text")]
    #[schemars(with = "String")]
    pub scopes: Scopes,
    /// The requests a second that the client may send; `None` is the bound of the settings.
    pub requests_per_second: Option<i64>,
    /// When the client was added.
    pub created_at: Timestamp,
    /// When the client last asked for a token.
    pub last_login: Option<Timestamp>,
}

fn role_name<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

fn as_text<S: Serializer>(scopes: &Scopes, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(scopes)
}

/// A client to add.
#[derive(Debug)]
pub struct NewClient {
    /// What the client is.
    pub name: String,
    /// The role: service, courier or analyst.
    pub role: Role,
    /// The scopes that it may ask for; `None` for all that its role can use.
    pub scopes: Option<Scopes>,
    /// The requests a second that it may send.
    pub requests_per_second: Option<i64>,
}

/// A client that was just added, with its secret, which is shown only now.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ClientWithSecret")]
pub struct NewClientSecret {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// The secret.
    pub client_secret: String,
}

fn client(row: &Row) -> Result<Client, StoreError> {
    let role = Role::of_client(&row.text("role")?).ok_or(StoreError::Damaged("role"))?;
    Ok(Client {
        id: row.parse("id")?,
        name: row.text("name")?,
        role,
        scopes: Scopes::parse(&row.text("scopes")?).map_err(|_| StoreError::Damaged("scopes"))?,
        requests_per_second: row.optional_number("requests_per_second")?,
        created_at: Timestamp::from_micros(row.number("created_at")?),
        last_login: row.optional_number("last_login")?.map(Timestamp::from_micros),
    })
}

fn check(new: &NewClient) -> Result<Scopes, Problem> {
    let mut errors = Vec::new();
    if let Err(error) = check_name(&new.name) {
        errors.push(FieldError::new("/name", error.to_string()));
    }
    if !ROLES.contains(&new.role) {
        errors.push(FieldError::new("/role", "must be service, courier or analyst"));
    }
    let all = Scopes::of_role(new.role);
    let scopes = new.scopes.unwrap_or(all);
    if !scopes.is_subset_of(all) {
        errors.push(FieldError::new("/scopes", format!("a {} can have: {all}", new.role.as_str())));
    }
    if new.requests_per_second.is_some_and(|rate| !(1..=1_000_000).contains(&rate)) {
        errors.push(FieldError::new("/requests_per_second", "must be 1 to 1000000"));
    }
    if errors.is_empty() { Ok(scopes) } else { Err(Problem::invalid(errors)) }
}

impl Accounts {
    /// Adds a client.
    pub async fn add_client(&self, new: NewClient, actor: &str) -> Result<NewClientSecret, Problem> {
        let scopes = check(&new)?;
        let id = Uuid::now_v7().to_string();
        let secret = URL_SAFE_NO_PAD.encode(random::<32>());
        let insert = sql!(
            "INSERT INTO clients (id, name, role, scopes, secret_hash, requests_per_second, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             RETURNING id, name, role, scopes, requests_per_second, created_at, last_login",
            id.as_str(),
            new.name,
            new.role.as_str(),
            scopes.to_string(),
            digest(&secret),
            new.requests_per_second,
            self.now().as_micros(),
        );
        let audit = self.audit(
            actor,
            "add client",
            &id,
            &["name", "role", "scopes", "requests_per_second", "secret"],
        );
        let rows = self.store.transact(insert, vec![audit]).await?;
        let row = rows.first().ok_or_else(|| Problem::internal("a client was not stored"))?;
        Ok(NewClientSecret { client: client(row)?, client_secret: secret })
    }

    /// All clients, the newest first.
    pub async fn clients(&self) -> Result<Vec<Client>, Problem> {
        let rows = self.store.fetch(sql!(
            "SELECT id, name, role, scopes, requests_per_second, created_at, last_login FROM clients \
             ORDER BY id DESC LIMIT $1",
            CLIENTS_MAX,
        ));
        Ok(rows.await?.iter().map(client).collect::<Result<_, _>>()?)
    }

    /// Removes a client. Its tokens are refused from then on.
    pub async fn remove_client(&self, id: Uuid, actor: &str) -> Result<(), Problem> {
        let key = id.to_string();
        let delete = sql!("DELETE FROM clients WHERE id = $1 RETURNING id", key.as_str());
        let then = vec![self.revocation_of_gone(&key), self.audit(actor, "remove client", &key, &[])];
        if self.store.transact(delete, then).await?.is_empty() {
            return Err(Problem::not_found("client-not-found", format!("there is no client {id}")));
        }
        self.revoke_account(&key, GONE);
        Ok(())
    }

    /// The client with this id and secret; `None` if there is none. Guesses are limited as those of passwords are.
    pub async fn authenticate_client(
        &self,
        id: &str,
        secret: &str,
        address: ClientAddress,
    ) -> Result<Option<Client>, Problem> {
        let attempt = self.attempts.begin(Account::Client(id), address).await?;
        let found = self.store.fetch(sql!(
            "SELECT id, name, role, scopes, requests_per_second, created_at, last_login, secret_hash \
             FROM clients WHERE id = $1",
            id,
        ));
        let rows = match found.await {
            Ok(rows) => rows,
            Err(error) => {
                attempt.did_not_happen();
                return Err(error.into());
            }
        };
        let stored = rows.first().map_or(Ok(vec![0; 32]), |row| row.bytes("secret_hash"))?;
        let is_right: bool = digest(secret).ct_eq(&stored).into();
        let Some(row) = rows.first().filter(|_| is_right) else { return Ok(None) };
        attempt.succeeded();
        Ok(Some(client(row)?))
    }

    /// An access token for a client, with all of its scopes or those that it wants.
    pub async fn client_token(&self, client: &Client, scopes: Scopes) -> Result<Tokens, Problem> {
        let id = client.id.to_string();
        let update = sql!(
            "UPDATE clients SET last_login = $2 WHERE id = $1 RETURNING id",
            id.as_str(),
            self.now().as_micros(),
        );
        if self.store.transact(update, vec![]).await?.is_empty() {
            return Err(Problem::not_found("client-not-found", "the client was removed meanwhile"));
        }
        let subject =
            Subject { id: id.into(), role: client.role, generation: 1, session: None, is_client: true };
        self.tokens(&subject, scopes.and(client.scopes), None)
    }
}
