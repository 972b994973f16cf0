//! Takes samples of a running server over HTTP.
//!
//! Health and metrics are open, so they are asked without the caller's token: they are shown even if a log-in has ended.
//! What one answer lacks becomes a note of the sample. Only a server that does not answer `/health` is away.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::{Method, StatusCode};

use super::{
    exposition::Exposition,
    sample::{Health, Partitions, Process, Sample, read_partitions},
};
use crate::remote::{Answer, Client, Server, Target, needs_login};

/// The longest time that a sample may take.
const SAMPLE_WITHIN: Duration = Duration::from_secs(5);
/// The role and the name in headers that only a server with `--insecure-no-auth` trusts.
const ROLE: &str = "admin";
const SUBJECT: &str = "top";

/// Takes samples of one server.
pub struct Scraper {
    target: Target,
    metrics: Server,
    clients: Clients,
    started: Instant,
}

/// One connection for each kind of request.
struct Clients {
    health: Client,
    metrics: Client,
    log: Client,
}

impl Clients {
    fn new(target: &Target, metrics: &Server) -> Self {
        let open = |server: &Server| Client::new(&Target::with_headers(server.clone()), ROLE, SUBJECT);
        Self { health: open(&target.server), metrics: open(metrics), log: Client::new(target, ROLE, SUBJECT) }
    }
}

impl Scraper {
    /// Takes samples of `target`, with the metrics of another server if one is given.
    pub fn new(target: Target, metrics: Option<Server>) -> Self {
        let metrics = metrics.unwrap_or_else(|| target.server.clone());
        let clients = Clients::new(&target, &metrics);
        Self { target, metrics, clients, started: Instant::now() }
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        self.target.server.origin().to_string()
    }

    /// Who asks, and how the server learns it.
    pub fn caller(&self) -> String {
        self.target.authentication.describe(ROLE)
    }

    /// Takes a sample. An error means that the server is away.
    pub async fn sample(&mut self) -> Result<Sample> {
        let sample = tokio::time::timeout(SAMPLE_WITHIN, self.ask()).await;
        let sample = sample.map_err(|_| anyhow!("no answer in {} seconds", SAMPLE_WITHIN.as_secs()));
        let sample = sample.and_then(|sample| sample);
        if sample.is_err() {
            // A request that was given up may still occupy its connection.
            self.clients = Clients::new(&self.target, &self.metrics);
        }
        sample
    }

    async fn ask(&mut self) -> Result<Sample> {
        let health = get(&mut self.clients.health, "/health").await?;
        let health =
            Health::read(&health.json()?).context("the answer of /health is not that of orderflow")?;
        let mut notes = Vec::new();
        let metrics = self.ask_metrics().await.map_err(|note| notes.push(note)).ok();
        let at = self.started.elapsed();
        let partitions = self.ask_partitions().await.map_err(|note| notes.push(note)).ok();
        Ok(Sample { at, health, metrics, partitions, notes })
    }

    /// The metrics, or why there are none.
    async fn ask_metrics(&mut self) -> Result<Process, String> {
        let elsewhere = "no metrics here: name the address of --metrics-listen with --metrics-url";
        let answer = match get(&mut self.clients.metrics, "/metrics").await {
            Ok(answer) => answer,
            // Without metrics there, the path is one like any other, which needs a caller.
            Err(error) if needs_login(&error) => return Err(elsewhere.to_owned()),
            Err(error) => return Err(format!("no metrics: {error}")),
        };
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(elsewhere.to_owned()),
            status => return Err(format!("no metrics: {status}")),
        }
        let metrics = Exposition::parse(&String::from_utf8_lossy(&answer.body));
        let metrics = metrics.map_err(|error| format!("no metrics: {error}"))?;
        Ok(Process { name: self.metrics.origin().authority(), metrics })
    }

    /// The partitions of the log, or why they are not visible.
    async fn ask_partitions(&mut self) -> Result<Partitions, String> {
        match get(&mut self.clients.log, "/topics").await {
            Ok(answer) => partitions_in(&answer),
            Err(error) if needs_login(&error) => {
                Err("no topics: they need the log-in of an admin; see `orderflow login`".to_owned())
            }
            Err(error) => Err(format!("no topics: {error}")),
        }
    }
}

fn partitions_in(answer: &Answer) -> Result<Partitions, String> {
    match answer.status {
        StatusCode::OK => {
            let topics = answer.json().map_err(|error| format!("no topics: {error}"))?;
            Ok(read_partitions(&topics))
        }
        StatusCode::FORBIDDEN => {
            Err("no topics: only the role admin may read them, with the scope topics:read".to_owned())
        }
        StatusCode::UNAUTHORIZED => Err("no topics: the token is not valid".to_owned()),
        status => Err(format!("no topics: {status}")),
    }
}

async fn get(client: &mut Client, path: &str) -> Result<Answer> {
    client.send(Method::GET, path, &[], Bytes::new()).await
}
