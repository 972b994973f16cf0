//! Keeping up with the store: its keys, its revocations and the limits of machine clients are read every second, and
//! what has expired is removed now and then.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, PoisonError},
    time::Duration,
};

use compact_str::{CompactString, ToCompactString};
use orderflow_schemas::Timestamp;
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Accounts, first_admin::FirstAdminError, random};
use crate::{
    metrics::{HASHES_WAITING, READ_AT, REVOCATIONS},
    revocations::Revocation,
    store::{Row, StoreError, sql},
    tokens::{KeyRing, RefreshKey, SigningKey},
};

/// The pause between two looks at the store. A revocation reaches every process within this time and that of one read.
const READ_EVERY: Duration = Duration::from_secs(1);
/// How long a new key is published before it signs: longer than any process needs to load it.
const PUBLISHED_FIRST: Duration = Duration::from_secs(60);
/// The looks at the store between two removals of what has expired.
const REMOVE_EVERY: u32 = 60;
/// The most machine clients with a limit of their own. Later ones have the limit of every caller.
const RATES_MAX: i64 = 10_000;
/// The most revocations of one read.
const READ_MAX: i64 = 10_000;

/// Why accounts cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first admin cannot be made.
    #[error(transparent)]
    FirstAdmin(#[from] FirstAdminError),
    /// The file with the signing key cannot be used.
    #[error("the file with the signing key, {path}: {reason}")]
    KeyFile {
        /// The path of the file.
        path: String,
        /// The reason.
        reason: String,
    },
}

impl LoadError {
    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) | Self::FirstAdmin(FirstAdminError::Store(error)) => error.is_transient(),
            Self::FirstAdmin(FirstAdminError::Invalid(_)) | Self::KeyFile { .. } => false,
        }
    }
}

/// Told whether the store can be read.
pub trait StoreWatch: Send + Sync {
    /// The store was read, or could not be.
    fn reached(&self, is_reached: bool);
}

impl Accounts {
    /// Makes the tables if they are not there. Commands that change accounts need no more.
    pub async fn prepare(&self) -> Result<(), StoreError> {
        self.store.migrate().await
    }

    /// Makes the tables and the keys if they are not there, and reads everything that checking tokens needs.
    pub async fn load(&self) -> Result<(), LoadError> {
        self.store.migrate().await?;
        let key = self.secret("refresh tokens").await?;
        *self.refresh_key.write().unwrap_or_else(PoisonError::into_inner) =
            Some(Arc::new(RefreshKey::new(&key)));
        self.make_first_admin().await?;
        self.rotate_keys(false).await?;
        self.read().await
    }

    /// Reads the store every second until `stop`, and tells `watch` whether it can be read. Loads first if that has not
    /// succeeded yet. Ends with an error that will not pass.
    pub async fn keep_up(
        &self,
        mut is_loaded: bool,
        watch: &dyn StoreWatch,
        stop: CancellationToken,
    ) -> Result<(), LoadError> {
        let mut reads = 0_u32;
        let mut was_reached = is_loaded;
        loop {
            if stop.run_until_cancelled(tokio::time::sleep(READ_EVERY)).await.is_none() {
                return Ok(());
            }
            metrics::gauge!(HASHES_WAITING.name).set(self.hasher.waiting() as f64);
            let done = if is_loaded { self.read().await } else { self.load().await };
            match done {
                Ok(()) => is_loaded = true,
                Err(error) if error.is_transient() => {
                    if was_reached {
                        tracing::warn!(%error, "accounts cannot be read; tokens are checked against what is known");
                    }
                    was_reached = false;
                    watch.reached(false);
                    continue;
                }
                Err(error) => return Err(error),
            }
            if !was_reached {
                tracing::info!("accounts can be read again");
            }
            was_reached = true;
            watch.reached(true);
            reads += 1;
            if reads.is_multiple_of(REMOVE_EVERY) {
                // What fails here is tried again later.
                if let Err(error) = self.remove_expired().await {
                    tracing::warn!(%error, "what has expired is not removed from the store of accounts yet");
                }
            }
        }
    }

    /// Reads the keys, the limits of machine clients and the new revocations.
    async fn read(&self) -> Result<(), LoadError> {
        self.authenticator.limit_clients(self.request_rates().await?);
        let keys = match &self.settings.signing_key_file {
            Some(path) => vec![key_of_file(path)?],
            None => self.stored_keys().await?,
        };
        let now = self.now().as_micros();
        loop {
            let (read_to, _) = self.authenticator.progress();
            let rows = self.store.fetch(sql!(
                "SELECT number, token_id, subject, generation, expires_at FROM revocations \
                 WHERE number > $1 AND expires_at > $2 ORDER BY number LIMIT $3",
                read_to,
                now,
                READ_MAX,
            ));
            let rows = rows.await?;
            let entries = rows.iter().map(revocation).collect::<Result<Vec<_>, _>>()?;
            let is_all = (entries.len() as i64) < READ_MAX;
            if is_all {
                self.authenticator.update(KeyRing::new(keys), entries);
                let (_, count) = self.authenticator.progress();
                metrics::gauge!(REVOCATIONS.name).set(count as f64);
                metrics::gauge!(READ_AT.name).set(self.now().as_micros() as f64 / 1e6);
                return Ok(());
            }
            self.authenticator.update(KeyRing::new(keys.clone()), entries);
        }
    }

    /// The requests a second of the machine clients that have a limit of their own.
    async fn request_rates(&self) -> Result<HashMap<CompactString, NonZeroU32>, StoreError> {
        let rows = self.store.fetch(sql!(
            "SELECT id, requests_per_second FROM clients WHERE requests_per_second > 0 ORDER BY id LIMIT $1",
            RATES_MAX,
        ));
        let rate = |row: &Row| {
            let rate = u32::try_from(row.number("requests_per_second")?).ok().and_then(NonZeroU32::new);
            let rate = rate.ok_or(StoreError::Damaged("requests_per_second"))?;
            Ok((row.text("id")?.to_compact_string(), rate))
        };
        rows.await?.iter().map(rate).collect()
    }

    async fn stored_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        let rows = self.store.fetch(sql!("SELECT private_key, signs_from FROM signing_keys")).await?;
        let key = |row: &Row| {
            let signs_from = Timestamp::from_micros(row.number("signs_from")?);
            SigningKey::from_pkcs8(&row.bytes("private_key")?, signs_from)
                .map_err(|_| StoreError::Damaged("private_key"))
        };
        rows.iter().map(key).collect()
    }

    /// Adds a signing key if there is none, or if the newest is older than the settings allow, or if it is `wanted`. The
    /// first key signs at once.
    pub async fn rotate_keys(&self, wanted: bool) -> Result<(), StoreError> {
        if self.settings.signing_key_file.is_some() {
            return Ok(());
        }
        let now = self.now();
        let newest = self.store.fetch(sql!("SELECT max(signs_from) AS newest FROM signing_keys")).await?;
        let newest = newest.first().map_or(Ok(None), |row| row.optional_number("newest"))?;
        let age_max = Duration::from_secs(self.settings.signing_key_days * 86_400);
        let is_due =
            newest.is_none_or(|newest| wanted || Timestamp::from_micros(newest).plus(age_max) <= now);
        if !is_due {
            return Ok(());
        }
        let signs_from = if newest.is_none() { now } else { now.plus(PUBLISHED_FIRST) };
        let key = SigningKey::generate(signs_from);
        // The condition lets only one of several processes add a key.
        let insert = sql!(
            "INSERT INTO signing_keys (id, private_key, signs_from, created_at) SELECT $1, $2, $3, $4 \
             WHERE NOT EXISTS (SELECT 1 FROM signing_keys WHERE signs_from > $5) RETURNING id",
            key.id.as_str(),
            key.pkcs8().to_vec(),
            signs_from.as_micros(),
            now.as_micros(),
            newest.unwrap_or(0),
        );
        let audit = self.audit("orderflow", "add signing key", &key.id, &[]);
        self.store.transact(insert, vec![audit]).await?;
        Ok(())
    }

    /// A key of the store with this name, made if it is not there.
    async fn secret(&self, name: &'static str) -> Result<Vec<u8>, StoreError> {
        let insert = sql!(
            "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING name",
            name,
            random::<{ RefreshKey::BYTES }>().to_vec(),
        );
        self.store.transact(insert, vec![]).await?;
        let rows = self.store.fetch(sql!("SELECT value FROM secrets WHERE name = $1", name)).await?;
        rows.first().ok_or(StoreError::Damaged("value"))?.bytes("value")
    }

    /// Removes what has expired: sessions, codes, revocations, and keys whose last token has.
    async fn remove_expired(&self) -> Result<(), StoreError> {
        self.rotate_keys(false).await?;
        let now = self.now();
        let lifetime = Duration::from_secs(self.settings.access_token_s + 60);
        for statement in [
            sql!(
                "DELETE FROM sessions WHERE expires_at <= $1 OR created_at <= $2",
                now.as_micros(),
                self.oldest_begin(now).as_micros(),
            ),
            sql!("DELETE FROM resets WHERE expires_at <= $1", now.as_micros()),
            // Numbers of entries that were removed are never used again.
            sql!("DELETE FROM revocations WHERE expires_at <= $1", now.as_micros()),
            // A key has signed its last token when the next one began to sign.
            sql!(
                "DELETE FROM signing_keys WHERE EXISTS (SELECT 1 FROM signing_keys AS next \
                 WHERE next.signs_from > signing_keys.signs_from AND next.signs_from <= $1)",
                now.minus(lifetime).as_micros(),
            ),
        ] {
            self.store.fetch(statement).await?;
        }
        self.store.scrub().await
    }
}

fn revocation(row: &Row) -> Result<(i64, Revocation, Timestamp), StoreError> {
    let revocation = match row.optional_text("token_id")? {
        Some(id) => Revocation::Token(Uuid::try_parse(&id).map_err(|_| StoreError::Damaged("token_id"))?),
        None => Revocation::Account {
            subject: row.text("subject")?.to_compact_string(),
            generation: row.number("generation")?,
        },
    };
    Ok((row.number("number")?, revocation, Timestamp::from_micros(row.number("expires_at")?)))
}

fn key_of_file(path: &std::path::Path) -> Result<SigningKey, LoadError> {
    let failed = |reason: String| LoadError::KeyFile { path: path.display().to_string(), reason };
    let pem = PrivatePkcs8KeyDer::from_pem_file(path).map_err(|error| failed(error.to_string()))?;
    SigningKey::from_pkcs8(pem.secret_pkcs8_der(), Timestamp::MIN).map_err(|error| failed(error.to_string()))
}
