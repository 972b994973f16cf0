//! A small HTTP/1.1 client with one kept-alive connection and little overhead.
//!
//! It accepts only `http://` addresses. It never repeats a request whose response was lost: only the caller knows
//! whether a repeat is safe.

use std::{fmt, str::FromStr, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use orderflow_schemas::{Offset, Position, TopicPartition};
use tokio::net::TcpStream;

/// The largest body of a response.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The longest time that a response may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// The pause before asking again a store that has not caught up.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// An access token. Nothing shows it.
#[derive(Clone)]
pub struct Token(String);

impl FromStr for Token {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_token = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_token { Ok(Self(text.to_owned())) } else { Err("a token is visible ASCII without spaces") }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A server, and the token with which it is used.
#[derive(Clone, Debug)]
pub struct Target {
    authority: String,
    token: Option<Token>,
}

impl Target {
    /// Parses a URL such as `http://127.0.0.1:8080`. Without a token, clients name their role and subject in headers,
    /// which only a server with `--insecure-no-auth` trusts.
    pub fn parse(url: &str, token: Option<Token>) -> Result<Self> {
        let uri: http::Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        ensure!(uri.scheme_str() == Some("http"), "`{url}` must begin with http://");
        let host = uri.host().with_context(|| format!("`{url}` names no host"))?;
        Ok(Self { authority: format!("{host}:{}", uri.port_u16().unwrap_or(80)), token })
    }
}

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

/// A client in the name of one caller, with one connection.
pub struct Client {
    target: Target,
    caller: Vec<(&'static str, String)>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client in the name of the target's token; without one, in the name of `subject`, in `role`.
    pub fn new(target: &Target, role: &str, subject: &str) -> Self {
        let caller = match &target.token {
            Some(Token(token)) => vec![("authorization", format!("Bearer {token}"))],
            None => vec![("x-orderflow-role", role.to_owned()), ("x-orderflow-subject", subject.to_owned())],
        };
        Self { target: target.clone(), caller, sender: None }
    }

    /// The same client, with a `traceparent` that puts its requests into the trace `trace` (32 hex digits).
    #[must_use]
    pub fn traced(mut self, trace: &str) -> Self {
        let parent = &trace[..16];
        self.caller.push(("traceparent", format!("00-{trace}-{parent}-00")));
        self
    }

    /// Sends a request and waits for the whole response. Connects first if there is no connection.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(path).header("host", &self.target.authority);
        for (name, value) in &self.caller {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into()))?;
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
            let authority = &self.target.authority;
            let stream = TcpStream::connect(authority).await;
            let stream = stream
                .with_context(|| format!("cannot connect to {authority}; is `orderflow serve` running?"))?;
            stream.set_nodelay(true)?;
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            // This task ends when the sender is dropped.
            tokio::spawn(connection);
            self.sender = Some(sender);
        }
        Ok(self.sender.as_mut().expect("connected above"))
    }

    /// Sends a `GET` and returns the JSON of a successful response.
    pub async fn get(&mut self, path: &str) -> Result<serde_json::Value> {
        self.send(Method::GET, path, &[], Bytes::new()).await?.success()?.json()
    }

    /// Sends a request with a JSON body.
    pub async fn send_json(
        &mut self,
        method: Method,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Answer> {
        self.send(method, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// Posts a body of NDJSON.
    pub async fn post_lines(&mut self, path: &str, lines: Bytes) -> Result<Answer> {
        self.send(Method::POST, path, &[("content-type", "application/x-ndjson")], lines).await
    }

    /// Waits until the server's store shows everything up to `position`.
    async fn caught_up(&mut self, position: &str) -> Result<()> {
        loop {
            let headers = [("orderflow-min-position", position)];
            let answer = self.send(Method::GET, "/orders?limit=1", &headers, Bytes::new()).await?;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer.success().map(drop);
            }
            // A server whose store is unavailable answers at once, so this waits before asking again.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Waits until everything that the server has accepted is decided and the store shows it. Decisions lead to
    /// further commands, so this repeats until no new commands appear.
    pub async fn settled(&mut self) -> Result<()> {
        let mut before = String::new();
        loop {
            let position = commands_end(&self.get("/topics").await?);
            if position == before {
                return Ok(());
            }
            self.caught_up(&position).await?;
            before = position;
        }
    }
}

/// The position of the last command in each partition.
fn commands_end(topics: &serde_json::Value) -> String {
    let mut position = Position::default();
    for topic in topics["items"].as_array().into_iter().flatten() {
        let Some(name) = topic["topic"].as_str().filter(|name| name.ends_with(".commands")) else { continue };
        let Ok(name) = name.parse() else { continue };
        for partition in topic["partitions"].as_array().into_iter().flatten() {
            let number = partition["partition"].as_u64().and_then(|number| u16::try_from(number).ok());
            let last = partition["end"].as_u64().and_then(|end| end.checked_sub(1));
            if let (Some(number), Some(last)) = (number, last) {
                position.reach(TopicPartition::new(name, number), Offset(last));
            }
        }
    }
    position.to_string()
}
