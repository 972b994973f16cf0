//! What can be done with accounts. [`Accounts`] is the one door: the HTTP API and the command line both use it.

mod clients;
mod erase;
mod first_admin;
mod passwords;
mod people;
mod sessions;
mod upkeep;

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use compact_str::CompactString;
use orderflow_schemas::{Role, Timestamp};
use orderflow_web::{Buckets, Problem, Scopes};
use orderflow_world::World;
use uuid::Uuid;

pub use self::{
    clients::{Client, NewClient, NewClientSecret},
    first_admin::FirstAdmin,
    people::{NewPerson, Person, PersonChange, PersonFilter},
    sessions::{RefreshError, Tokens},
    upkeep::{LoadError, StoreWatch},
};
use crate::{
    AccountsSettings,
    attempts::Attempts,
    authenticator::{ListTooOld, TokenAuthenticator},
    passwords::Hasher,
    revocations::{GONE, Revocation},
    store::{self, Statement, Store, StoreError, StoreLocation, sql},
    tokens::{Claims, RefreshKey},
};

/// How much longer than a token an entry of the list of revocations is kept. A token may be issued while the change is
/// waiting for the store, and the clocks of processes differ.
const REVOKED_LONGER: Duration = Duration::from_secs(300);

/// Accounts: their store, their tokens, and the limits on guessing.
pub struct Accounts {
    world: Arc<dyn World>,
    settings: AccountsSettings,
    store: Box<dyn Store>,
    authenticator: Arc<TokenAuthenticator>,
    hasher: Hasher,
    attempts: Arc<Attempts>,
    registrations: Buckets<IpAddr>,
    /// The key of refresh tokens, once the store was read.
    refresh_key: RwLock<Option<Arc<RefreshKey>>>,
    first_admin: Option<FirstAdmin>,
}

/// The account that a token is issued to, as the store has it now.
struct Subject {
    id: CompactString,
    role: Role,
    generation: i64,
    session: Option<Uuid>,
    is_client: bool,
}

impl Accounts {
    /// Accounts in this store. Nothing is read yet: [`Self::load`] reads, and [`Self::keep_up`] goes on reading.
    pub fn new(
        world: Arc<dyn World>,
        location: &StoreLocation,
        settings: AccountsSettings,
        first_admin: Option<FirstAdmin>,
    ) -> Result<Arc<Self>, StoreError> {
        Ok(Arc::new(Self {
            store: store::open(location)?,
            authenticator: Arc::new(TokenAuthenticator::new(world.clone(), &settings)),
            hasher: Hasher::start(&settings),
            attempts: Attempts::new(&settings),
            registrations: Buckets::new(settings.failures_remembered_max),
            refresh_key: RwLock::default(),
            world,
            settings,
            first_admin,
        }))
    }

    /// The authenticator of the API's requests.
    pub fn authenticator(&self) -> &Arc<TokenAuthenticator> {
        &self.authenticator
    }

    /// Closes the connections to the store.
    pub async fn close(&self) {
        self.store.close().await;
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn refresh_key(&self) -> Result<Arc<RefreshKey>, ListTooOld> {
        let key = self.refresh_key.read().unwrap_or_else(PoisonError::into_inner);
        key.clone().ok_or(ListTooOld)
    }

    /// Signs an access token.
    fn issue(&self, subject: &Subject, scopes: Scopes) -> Result<String, Problem> {
        let now = self.now();
        let keys = self.authenticator.keys();
        let key = keys.signing(now).ok_or(ListTooOld)?;
        let issued = now.as_micros() / 1_000_000;
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            sub: subject.id.clone(),
            role: subject.role.as_str().into(),
            scope: scopes.to_string(),
            iat: issued,
            exp: issued + i64::try_from(self.settings.access_token_s).unwrap_or(i64::MAX / 2),
            jti: Uuid::new_v4(),
            generation: subject.generation,
            sid: subject.session,
            client_id: subject.is_client.then(|| subject.id.clone()),
        };
        claims.sign(key).map_err(Problem::internal)
    }

    /// How long an entry of the list of revocations matters that is made now: until every token that it is about has
    /// expired, by the clock of any process.
    fn revoked_until(&self) -> Timestamp {
        self.now().plus(Duration::from_secs(self.settings.access_token_s) + REVOKED_LONGER)
    }

    /// Refuses, in this process and at once, the tokens of an account that are older than this generation.
    fn revoke_account(&self, subject: &str, generation: i64) {
        let revocation = Revocation::Account { subject: subject.into(), generation };
        self.authenticator.revoke(revocation, self.revoked_until());
    }

    /// The row that revokes the tokens of a person with an earlier generation than the stored one, in all processes.
    fn revocation_of_person(&self, id: &str) -> Statement {
        sql!(
            "INSERT INTO revocations (subject, generation, expires_at) \
             SELECT id, generation, $2 FROM users WHERE id = $1",
            id,
            self.revoked_until().as_micros(),
        )
    }

    /// The row that revokes all tokens of an account that is gone, in all processes.
    fn revocation_of_gone(&self, id: &str) -> Statement {
        sql!(
            "INSERT INTO revocations (subject, generation, expires_at) VALUES ($1, $2, $3)",
            id,
            GONE,
            self.revoked_until().as_micros(),
        )
    }

    /// The row that revokes a token or a session by its id, in all processes.
    fn revocation_of_token(&self, id: Uuid) -> Statement {
        sql!(
            "INSERT INTO revocations (token_id, expires_at) VALUES ($1, $2)",
            id.to_string(),
            self.revoked_until().as_micros(),
        )
    }

    /// The row that says who changed which fields of which account.
    fn audit(&self, actor: &str, action: &str, subject: &str, fields: &[&str]) -> Statement {
        sql!(
            "INSERT INTO audit (time, actor, action, subject, fields) VALUES ($1, $2, $3, $4, $5)",
            self.now().as_micros(),
            actor,
            action,
            subject,
            fields.join(" "),
        )
    }
}

/// Random bytes from the system.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut bytes)
        .expect("the system has random bytes");
    bytes
}

/// The SHA-256 of a secret of 256 random bits. Such a secret cannot be guessed, so it needs no slow hash.
fn digest(secret: &str) -> Vec<u8> {
    ring::digest::digest(&ring::digest::SHA256, secret.as_bytes()).as_ref().to_vec()
}
