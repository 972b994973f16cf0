//! How the parts of the system are, and its metrics. For load balancers and monitors: no caller is asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde::Serialize;

use crate::state::Api;

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It recovers or waits for something at its start.
    Starting,
    /// It works.
    Ready,
    /// Its store is away: what it shows is old or not there. It tries again and catches up by itself.
    Waiting,
    /// It works no more; the log says why.
    Failed,
}

/// The parts of the system. Clones share them. Ready when every part is.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Status>>>,
}

/// The hand of one part, which says how it is.
#[derive(Clone, Debug)]
pub struct Part {
    health: Health,
    name: &'static str,
}

impl Part {
    /// Says how the part is now.
    pub fn set(&self, status: Status) {
        self.health.with(|parts| parts.insert(self.name, status));
    }
}

impl Health {
    /// Adds a part, which is starting.
    pub fn part(&self, name: &'static str) -> Part {
        let part = Part { health: self.clone(), name };
        part.set(Status::Starting);
        part
    }

    /// How the whole is: failed if a part is, else starting if a part is, or if there are none yet, else waiting if
    /// a part is.
    pub fn status(&self) -> Status {
        self.with(|parts| overall(parts))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<&'static str, Status>) -> T) -> T {
        // A map of plain values is whole even if a holder of the lock panicked.
        work(&mut self.parts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn overall(parts: &BTreeMap<&'static str, Status>) -> Status {
    let is_any = |wanted| parts.values().any(|status| *status == wanted);
    if is_any(Status::Failed) {
        Status::Failed
    } else if parts.is_empty() || is_any(Status::Starting) {
        Status::Starting
    } else if is_any(Status::Waiting) {
        Status::Waiting
    } else {
        Status::Ready
    }
}

#[derive(Serialize)]
struct HealthView {
    status: Status,
    parts: BTreeMap<&'static str, PartView>,
}

#[derive(Serialize)]
struct PartView {
    status: Status,
}

/// `GET /health`: how each part is, for monitors; 503 unless all are ready.
pub async fn show(State(api): State<Api>) -> Response {
    let parts = api.health.with(|parts| parts.clone());
    let status = overall(&parts);
    let parts = parts.into_iter().map(|(name, status)| (name, PartView { status })).collect();
    let code = if status == Status::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(HealthView { status, parts })).into_response()
}

/// `GET /health/live`: the process answers.
pub async fn live() -> Json<serde_json::Value> {
    Json(serde_json::json!({ "status": "live" }))
}

/// `GET /health/ready`, for load balancers: 503 until every part has started, and once one has failed. While a part
/// waits for its store it is 200: orders are taken, and no other process on that store would do better.
pub async fn ready(State(api): State<Api>) -> Response {
    let status = api.health.status();
    (ready_code(status), Json(PartView { status })).into_response()
}

fn ready_code(status: Status) -> StatusCode {
    match status {
        Status::Ready | Status::Waiting => StatusCode::OK,
        Status::Starting | Status::Failed => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// `GET /metrics`
pub async fn metrics(State(api): State<Api>) -> Response {
    let text = (api.metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
