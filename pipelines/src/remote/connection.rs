//! One kept-alive connection to a server, over which one request goes at a time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;

use super::server::Server;

/// The largest body of a response.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The longest time that a response may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// A complete response of a server.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The value of `Retry-After`: how long the server asks the client to wait.
    pub retry_after: Option<Duration>,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).context("the answer is not JSON")
    }

    /// The response if its status is a success; otherwise an error with the status and the body.
    pub fn success(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        bail!("{}: {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

/// A connection to a server, made when it is needed. It never repeats a request whose response was lost: only the caller
/// knows whether a repeat is safe.
pub struct Connection {
    server: Server,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// A connection that is not made yet.
    pub fn new(server: Server) -> Self {
        Self { server, sender: None }
    }

    /// Sends a request and waits for the whole response.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.exchange(request)).await;
        let answer = answer.context("no answer in two minutes").and_then(|answer| answer);
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Answer> {
        let sender = self.connected().await?;
        let response = sender.send_request(request).await.context("the connection broke")?;
        let (head, body) = response.into_parts();
        let body = http_body_util::Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("the answer broke off: {error}"))?.to_bytes();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(Answer { status: head.status, retry_after: retry_after.map(Duration::from_secs), body })
    }

    async fn connected(&mut self) -> Result<&mut SendRequest<Full<Bytes>>> {
        let alive = match &mut self.sender {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !alive {
            self.sender = Some(self.server.connect().await?);
        }
        Ok(self.sender.as_mut().expect("connected above"))
    }
}
