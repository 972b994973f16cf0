//! Accounts: where their store is, serving from it, and the commands that change it.

pub mod commands;
mod names;

use std::sync::Arc;

use anyhow::{Context, Result};
use orderflow_accounts::{Accounts, FirstAdmin, StoreLocation, StoreWatch};
use orderflow_api::{Part, Status};
use orderflow_world::World;

pub use self::names::PeoplesNames;
use crate::{settings::Configuration, stores::database::Location};

const FILE: &str = "accounts.sqlite";

/// The store of accounts that the configuration names: beside the orders, and never in their database's tables.
pub fn location(configuration: &Configuration) -> StoreLocation {
    match &configuration.database_location {
        Location::DataDirectory => StoreLocation::File(configuration.data.join(FILE)),
        Location::Postgres(url) => StoreLocation::Postgres(url.reveal().to_owned()),
    }
}

/// Opens the store and reads it once. A server that starts while its store is away serves nevertheless, and refuses
/// tokens until the store was read. Returns whether it was.
pub async fn open(
    configuration: &Configuration,
    world: Arc<dyn World>,
    first_admin: Option<FirstAdmin>,
) -> Result<(Arc<Accounts>, bool)> {
    let settings = configuration.accounts.clone();
    let accounts = Accounts::new(world, &location(configuration), settings, first_admin)
        .context("the store of accounts cannot be opened")?;
    match accounts.load().await {
        Ok(()) => Ok((accounts, true)),
        Err(error) if error.is_transient() => {
            tracing::warn!(%error, "accounts cannot be read yet; every token is refused until they can");
            Ok((accounts, false))
        }
        Err(error) => Err(error).context("accounts cannot be served"),
    }
}

/// The health of accounts.
pub struct AccountsHealth(pub Part);

impl StoreWatch for AccountsHealth {
    fn reached(&self, is_reached: bool) {
        self.0.set(if is_reached { Status::Ready } else { Status::Waiting });
    }
}
