//! The requests that log in, renew a log-in and end it. They carry secrets, so they are made only to a server whose
//! origin is not exposed.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::{
    secret::Secret,
    stored::{Account, StoredLogin, Tokens},
};
use crate::remote::{Answer, Connection, Server};

/// How long a renewal may take. For ten seconds after it has used a refresh token, the server answers a repeat with the
/// same successor, so all tries together, with their pauses, take less.
const RENEWAL_WITHIN: Duration = Duration::from_millis(2_500);
/// The pause after a try that failed at once.
const RENEW_AGAIN: Duration = Duration::from_millis(500);
/// How often a renewal without an answer is tried.
const RENEWALS: u32 = 3;

/// Why a log-in was not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The server refuses what would renew the log-in, so only a new log-in helps.
    #[error("{0}")]
    Refused(String),
    /// There is no answer, or one that may be another one later.
    #[error("the log-in cannot be renewed now: {0:#}")]
    Unavailable(anyhow::Error),
}

/// Logs a person in.
pub async fn log_in(server: &Server, login: &str, password: &Secret) -> Result<Tokens> {
    let body = json!({ "login": login, "password": password.reveal() });
    let answer = send_json(server, "/auth/login", &body).await?;
    tokens(&answer).with_context(|| format!("cannot log in at {}", server.origin()))
}

/// Logs a machine client in.
pub async fn log_in_client(server: &Server, id: &str, secret: &Secret) -> Result<Tokens> {
    let answer = send_client(server, id, secret).await?;
    tokens(&answer).with_context(|| format!("cannot log in at {}", server.origin()))
}

/// Renews a log-in. If an answer is lost, it asks again with the same token, which gives the same successor.
pub async fn renew(server: &Server, account: &Account) -> Result<Tokens, RenewalError> {
    let mut tries = 0;
    let answer = loop {
        let answer = match account {
            Account::Person { refresh_token, .. } => {
                let body = json!({ "refresh_token": refresh_token.reveal() });
                tokio::time::timeout(RENEWAL_WITHIN, send_json(server, "/auth/refresh", &body)).await
            }
            Account::Client { id, secret: Some(secret) } => {
                tokio::time::timeout(RENEWAL_WITHIN, send_client(server, id, secret)).await
            }
            Account::Client { secret: None, .. } => {
                let reason = "its token has ended, and the client's secret was not kept (--keep-secret)";
                return Err(RenewalError::Refused(reason.to_owned()));
            }
        };
        tries += 1;
        match answer {
            Ok(Ok(answer)) => break answer,
            Ok(Err(error)) if tries == RENEWALS => return Err(RenewalError::Unavailable(error)),
            Err(_) if tries == RENEWALS => {
                return Err(RenewalError::Unavailable(anyhow!("{} does not answer", server.origin())));
            }
            Ok(Err(_)) => tokio::time::sleep(RENEW_AGAIN).await,
            Err(_) => {}
        }
    };
    match answer.status {
        // The token endpoint says 400 where other endpoints say 401.
        StatusCode::UNAUTHORIZED | StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => {
            Err(RenewalError::Refused(reason(&answer)))
        }
        _ => tokens(&answer).map_err(RenewalError::Unavailable),
    }
}

/// Ends the session of a log-in at its server. A session that has ended already is no error.
pub async fn log_out(server: &Server, login: &StoredLogin, now: u64) -> Result<()> {
    if !login.is_expired(now) && end(server, &login.access_token).await? {
        return Ok(());
    }
    if !login.account.is_renewable() {
        return Ok(());
    }
    match renew(server, &login.account).await {
        Ok(tokens) => end(server, &tokens.access_token).await.map(drop),
        Err(RenewalError::Refused(_)) => Ok(()),
        Err(RenewalError::Unavailable(error)) => Err(error),
    }
}

/// Ends the session of this token. Returns whether the token was still valid.
async fn end(server: &Server, token: &Secret) -> Result<bool> {
    let token: crate::remote::Token =
        token.reveal().parse().map_err(|_| anyhow!("the stored token is damaged"))?;
    let request = Request::post("/auth/logout").header(header::AUTHORIZATION, token.header());
    let answer = send(server, request, String::new()).await?;
    match answer.status {
        StatusCode::UNAUTHORIZED => Ok(false),
        status if status.is_success() => Ok(true),
        _ => bail!("{}", reason(&answer)),
    }
}

async fn send_json(server: &Server, path: &str, body: &Value) -> Result<Answer> {
    let request = Request::builder().method(Method::POST).uri(path);
    send(server, request.header(header::CONTENT_TYPE, "application/json"), body.to_string()).await
}

async fn send_client(server: &Server, id: &str, secret: &Secret) -> Result<Answer> {
    let form = [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret.reveal())];
    let request = Request::post("/oauth/token");
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(server, request, serde_urlencoded::to_string(form)?).await
}

/// Sends a request over a connection of its own: these requests are rare.
async fn send(server: &Server, request: http::request::Builder, body: String) -> Result<Answer> {
    let origin = server.origin();
    ensure!(!origin.is_exposed(), "secrets are not sent to {origin}, because they would not be encrypted");
    let request = request.header(header::HOST, origin.authority()).body(Full::new(body.into()))?;
    Connection::new(server.clone()).send(request).await
}

fn tokens(answer: &Answer) -> Result<Tokens> {
    if !answer.status.is_success() {
        bail!("{}", reason(answer));
    }
    // An error of the parser could quote a token.
    let tokens = serde_json::from_slice::<Tokens>(&answer.body).ok();
    let tokens = tokens.filter(|tokens| tokens.access_token.reveal().parse::<crate::remote::Token>().is_ok());
    tokens.context("the answer has no access token; is it an orderflow server?")
}

/// What a refusal says, in the form of problems or of OAuth.
fn reason(answer: &Answer) -> String {
    let body = answer.json().unwrap_or_default();
    let text = |name: &str| body[name].as_str();
    match text("detail").or_else(|| text("error_description")) {
        Some(detail) => format!("{} ({})", detail, answer.status.as_u16()),
        None => answer.status.to_string(),
    }
}
