//! `orderflow login` and `orderflow logout`.

use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result, bail, ensure};

use super::{
    file::LoginFile,
    grant,
    secret::Secret,
    session::now,
    stored::{Account, StoredLogin},
};
use crate::{
    cli::{Login, LoginStore, Logout},
    remote::Server,
};

/// Logs in and stores the log-in in place of an earlier one at the same origin.
pub async fn login(args: Login) -> Result<()> {
    let Login { url, user, client_id, keep_secret, store } = args;
    let (server, file) = open(&url, store)?;
    // What cannot be stored is found before anybody types a password.
    drop(file.lock().await?);
    file.read()?;
    let asked_at = now();
    let login = match client_id {
        Some(id) => {
            let secret = Secret::ask("secret")?;
            let tokens = grant::log_in_client(&server, &id, &secret).await?;
            let secret = keep_secret.then_some(secret);
            StoredLogin::new(Account::Client { id, secret }, tokens, asked_at)
        }
        None => {
            let login = user.map_or_else(ask_user, Ok)?;
            let password = Secret::ask("password")?;
            let mut tokens = grant::log_in(&server, &login, &password).await?;
            let refresh_token = tokens.refresh_token.take().context("the server gave no refresh token")?;
            StoredLogin::new(Account::Person { login, refresh_token }, tokens, asked_at)
        }
    };
    let (account, minutes) = (login.account.name(), login.expires_at.saturating_sub(now()).div_ceil(60));
    let is_renewable = login.account.is_renewable();
    let locked = file.lock().await?;
    let mut logins = locked.read()?;
    logins.insert(server.origin(), login);
    locked.replace(&logins)?;
    let mut out = io::stdout().lock();
    writeln!(out, "logged in at {} as {account}; stored in {}", server.origin(), file.path().display())?;
    if !is_renewable {
        writeln!(out, "it ends in {minutes} minutes, because the secret is not stored (--keep-secret)")?;
    }
    Ok(())
}

/// Ends the session at the server and forgets the log-in, in any case.
pub async fn logout(args: Logout) -> Result<()> {
    let (server, file) = open(&args.url, args.store)?;
    let origin = server.origin();
    // With the lock, since ending a session may need a renewal.
    let locked = file.lock().await?;
    let mut logins = locked.read()?;
    let Some(login) = logins.remove(origin) else { bail!("no log-in is stored for {origin}") };
    let ended = grant::log_out(&server, &login, now()).await;
    locked.replace(&logins)?;
    if let Err(error) = ended {
        bail!("the log-in is forgotten here, but {origin} does not know: {error:#}");
    }
    writeln!(io::stdout().lock(), "logged out at {origin}")?;
    Ok(())
}

fn open(url: &str, store: LoginStore) -> Result<(Server, LoginFile)> {
    let server = Server::at(url, store.ca_cert.as_deref())?;
    let origin = server.origin();
    ensure!(
        !origin.is_exposed(),
        "passwords and tokens are not sent to {origin}, because they would not be encrypted: use https://, or \
         log in on that machine"
    );
    let file = LoginFile::locate(store.login_file);
    let file = file.context("there is no folder for the log-in: set ORDERFLOW_LOGIN_FILE")?;
    Ok((server, file))
}

fn ask_user() -> Result<String> {
    ensure!(io::stdin().is_terminal(), "name who logs in, with --user or --client-id");
    eprint!("email or username: ");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let user = line.trim().to_owned();
    ensure!(!user.is_empty(), "no email or username was given");
    Ok(user)
}
