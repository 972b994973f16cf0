//! A client in the name of one caller, with one connection and little overhead.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use orderflow_schemas::{Offset, Position, TopicPartition};

use super::{Answer, Authentication, Connection, Target, Token, authentication::NotLoggedIn};

/// The pause of a caller that is over its limit, if the server names none.
const OVER_LIMIT: Duration = Duration::from_secs(1);
/// The pause before asking again a store that has not caught up.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A client in the name of one caller, with one connection.
pub struct Client {
    target: Target,
    /// The headers of every request.
    own: Vec<(&'static str, String)>,
    connection: Connection,
}

impl Client {
    /// A client in the name of the target's token; without one, in the name of `subject`, in `role`.
    pub fn new(target: &Target, role: &str, subject: &str) -> Self {
        let mut own = vec![("host", target.server.origin().authority())];
        if let Authentication::Headers = target.authentication {
            own.push(("x-orderflow-role", role.to_owned()));
            own.push(("x-orderflow-subject", subject.to_owned()));
        }
        Self { target: target.clone(), own, connection: Connection::new(target.server.clone()) }
    }

    /// The same client, with a `traceparent` that puts its requests into the trace `trace` (32 hex digits).
    #[must_use]
    pub fn traced(mut self, trace: &str) -> Self {
        let parent = &trace[..16];
        self.own.push(("traceparent", format!("00-{trace}-{parent}-00")));
        self
    }

    /// Sends a request and waits for the whole response. If the token of a stored log-in is refused, which has no other
    /// effect, the log-in is renewed and the request sent once more.
    pub async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer> {
        let (body, token) = (body.into(), self.target.authentication.token().await?);
        let request = self.request(&method, path, headers, body.clone(), token.as_ref())?;
        let answer = self.connection.send(request).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let Some(refused) = token else {
            let origin = self.target.server.origin().to_string();
            return Err(NotLoggedIn { origin }.into());
        };
        let Some(token) = self.target.authentication.instead_of(&refused).await? else { return Ok(answer) };
        let request = self.request(&method, path, headers, body, Some(&token))?;
        self.connection.send(request).await
    }

    fn request(
        &self,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        token: Option<&Token>,
    ) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, token.header());
        }
        for (name, value) in &self.own {
            request = request.header(*name, value);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(request.body(Full::new(body))?)
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

    /// Sends a `GET`, and again as long as the caller is over its limit on requests.
    async fn get_patiently(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        loop {
            let answer = self.send(Method::GET, path, headers, Bytes::new()).await?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer);
            }
            tokio::time::sleep(answer.retry_after.unwrap_or(OVER_LIMIT)).await;
        }
    }

    /// Waits until the server's store shows everything up to `position`.
    async fn caught_up(&mut self, position: &str) -> Result<()> {
        loop {
            let headers = [("orderflow-min-position", position)];
            let answer = self.get_patiently("/orders?limit=1", &headers).await?;
            if answer.status != StatusCode::SERVICE_UNAVAILABLE {
                return answer.success().map(drop);
            }
            // A server whose store is unavailable answers at once, so this waits before asking again.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether this caller may read the log, as only an admin may.
    pub async fn may_read_log(&mut self) -> Result<bool> {
        let answer = self.get_patiently("/topics", &[]).await?;
        if answer.status == StatusCode::FORBIDDEN {
            return Ok(false);
        }
        answer.success().map(|_| true)
    }

    /// Waits until everything that the server has accepted is decided and the store shows it. Decisions lead to
    /// further commands, so this repeats until no new commands appear.
    pub async fn settled(&mut self) -> Result<()> {
        let mut before = String::new();
        loop {
            let position = commands_end(&self.get_patiently("/topics", &[]).await?.success()?.json()?);
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
