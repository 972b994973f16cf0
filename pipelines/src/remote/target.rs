//! A server and the caller in whose name it is used.

use std::sync::Arc;

use anyhow::{Result, ensure};

use super::{Authentication, Server};
use crate::{
    cli::Caller,
    login::{LoginFile, Session},
};

/// A server, and how it learns who calls.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server.
    pub server: Server,
    /// How it learns who calls.
    pub authentication: Authentication,
}

impl Target {
    /// The server at a URL, used with the given token, else with the log-in that is stored for its origin, else with
    /// headers. A token that can be read on its way is sent with a warning, a stored log-in is not sent.
    pub fn open(url: &str, caller: Caller) -> Result<Self> {
        let server = Server::at(url, caller.store.ca_cert.as_deref())?;
        let origin = server.origin();
        if let Some(token) = caller.token {
            if origin.is_exposed() {
                eprintln!("warning: the token goes to {origin} without encryption; use https://");
            }
            return Ok(Self { server, authentication: Authentication::Token(token) });
        }
        let file = LoginFile::locate(caller.store.login_file);
        let session = match file {
            Some(file) => Session::open(server.clone(), file)?,
            None => None,
        };
        let Some(session) = session else { return Ok(Self::with_headers(server)) };
        ensure!(
            !origin.is_exposed(),
            "the stored log-in is not sent to {origin}, because it would not be encrypted: use https://"
        );
        Ok(Self { server, authentication: Authentication::Stored(Arc::new(session)) })
    }

    /// The server, used with headers that only `--insecure-no-auth` trusts.
    pub fn with_headers(server: Server) -> Self {
        Self { server, authentication: Authentication::Headers }
    }
}
