//! Carries out `orderflow top`: checks the terminal, opens the server, and shows it live or once.

use std::io::{self, IsTerminal};

use anyhow::{Result, ensure};

use super::{Top, live, once, scrape::Scraper};
use crate::remote::{Server, Target};

/// Shows a running server until the user quits, or once.
pub async fn run(top: Top) -> Result<()> {
    ensure!(
        top.once || io::stdout().is_terminal(),
        "the live screen needs a terminal, and standard output is none; --once prints one screen as text"
    );
    let ca_cert = top.server.caller.store.ca_cert.clone();
    let metrics = top.metrics_url.map(|url| Server::at(&url, ca_cert.as_deref())).transpose()?;
    let target = Target::open(&top.server.url, top.server.caller)?;
    let scraper = Scraper::new(target, metrics);
    match top.once {
        true => once::print(scraper, top.every).await,
        false => live::show(scraper, top.every).await,
    }
}
