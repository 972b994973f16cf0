//! `orderflow clients` and `orderflow keys`: changes in the store of accounts, by whoever can read its files or knows
//! its database. A running server follows within seconds.

use std::{
    io::{self, Write},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow};
use orderflow_accounts::{Accounts, AccountsSettings, NewClient};
use orderflow_schemas::Role;
use orderflow_web::{Problem, Scopes};
use orderflow_world::TokioWorld;

use super::location;
use crate::{
    cli::{AccountsStore, Clients, Keys},
    settings::{Configuration, PipelineFile, Settings},
};

/// Who the audit names for changes by these commands.
const ACTOR: &str = "command line";

async fn open(store: AccountsStore) -> Result<Arc<Accounts>> {
    let AccountsStore { data, database } = store;
    let settings = Settings { data, database, ..Settings::default() };
    let configuration = Configuration::new(settings, PipelineFile::read(None)?.lifecycle)?;
    std::fs::create_dir_all(&configuration.data)
        .with_context(|| format!("the data directory {} cannot be made", configuration.data.display()))?;
    let settings = AccountsSettings::default();
    let accounts = Accounts::new(TokioWorld::new(), &location(&configuration), settings, None)?;
    accounts.prepare().await.context("the store of accounts cannot be used")?;
    Ok(accounts)
}

fn failed(problem: Problem) -> anyhow::Error {
    anyhow!("{}", problem.detail())
}

/// Carries out `orderflow clients`.
pub async fn clients(command: Clients) -> Result<()> {
    let mut out = io::stdout().lock();
    match command {
        Clients::Add { name, role, scopes, requests_per_second, store } => {
            let role = Role::of_client(&role).context("--role must be service, courier or analyst")?;
            let scopes = scopes.map(|scopes| Scopes::parse(&scopes)).transpose()?;
            let accounts = open(store).await?;
            let added =
                accounts.add_client(NewClient { name, role, scopes, requests_per_second }, ACTOR).await;
            accounts.close().await;
            writeln!(out, "{}", serde_json::to_string(&added.map_err(failed)?)?)?;
        }
        Clients::List { store } => {
            let accounts = open(store).await?;
            let clients = accounts.clients().await;
            accounts.close().await;
            for client in clients.map_err(failed)? {
                writeln!(out, "{}", serde_json::to_string(&client)?)?;
            }
        }
        Clients::Remove { id, store } => {
            let accounts = open(store).await?;
            let removed = accounts.remove_client(id, ACTOR).await;
            accounts.close().await;
            removed.map_err(failed)?;
        }
    }
    Ok(())
}

/// Carries out `orderflow keys`.
pub async fn keys(command: Keys) -> Result<()> {
    let Keys::Rotate { store } = command;
    let accounts = open(store).await?;
    let rotated = accounts.rotate_keys(true).await;
    accounts.close().await;
    Ok(rotated?)
}
