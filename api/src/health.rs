//! The health of the system's parts, and the metrics. These routes are for load balancers and monitors and need no
//! caller.

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
use schemars::JsonSchema;
use serde::Serialize;

use crate::state::Api;

/// The status of a part, and of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "HealthStatus")]
pub enum Status {
    /// The part recovers, or waits for something at its start.
    Starting,
    /// The part works.
    Ready,
    /// The part waits for something outside, such as its store: what the part shows or uses is old or missing. The
    /// part retries and catches up by itself.
    Waiting,
    /// The part has stopped working. The program's log has the reason.
    Failed,
}

/// The health of all parts of the system, which is ready when every part is. Clones share the parts.
#[derive(Clone, Debug, Default)]
pub struct Health {
    parts: Arc<Mutex<BTreeMap<&'static str, Status>>>,
}

/// The handle with which one part reports its status.
#[derive(Clone, Debug)]
pub struct Part {
    health: Health,
    name: &'static str,
}

impl Part {
    /// Reports the current status of the part.
    pub fn set(&self, status: Status) {
        self.health.with(|parts| parts.insert(self.name, status));
    }
}

impl Health {
    /// Adds a part with the status [`Status::Starting`].
    pub fn part(&self, name: &'static str) -> Part {
        let part = Part { health: self.clone(), name };
        part.set(Status::Starting);
        part
    }

    /// The status of the system: failed if any part is; else starting if any part is or if there are no parts yet; else
    /// waiting if any part is; else ready.
    pub fn status(&self) -> Status {
        self.with(|parts| overall(parts))
    }

    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<&'static str, Status>) -> T) -> T {
        // A map of plain values stays consistent even if a holder of the lock panicked.
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

/// The health of the system and of its parts.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Health")]
pub struct HealthView {
    /// The status of the system: that of the part that is worst.
    status: Status,
    /// The parts by name.
    parts: BTreeMap<&'static str, PartView>,
}

/// The health of a part, or of the whole system.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "PartHealth")]
pub struct PartView {
    /// The status.
    status: Status,
}

/// `GET /health`: the status of each part, for monitors; 503 unless all parts are ready.
pub async fn show(State(api): State<Api>) -> Response {
    let parts = api.health.with(|parts| parts.clone());
    let status = overall(&parts);
    let parts = parts.into_iter().map(|(name, status)| (name, PartView { status })).collect();
    let code = if status == Status::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(HealthView { status, parts })).into_response()
}

/// `GET /health/live`: always 200, to show that the process responds.
pub async fn live() -> Json<Live> {
    Json(Live { status: "live" })
}

/// The process responds.
#[derive(Serialize, JsonSchema)]
pub struct Live {
    /// `live`.
    status: &'static str,
}

/// `GET /health/ready`, for load balancers: 503 until every part has started, and after any part has failed. While a
/// part waits for its store the response is 200: the write API still takes orders, and no other process on that store
/// would do better.
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

/// `GET /metrics`: all metrics in the text format of Prometheus.
pub async fn metrics(State(api): State<Api>) -> Response {
    let text = (api.metrics)();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
