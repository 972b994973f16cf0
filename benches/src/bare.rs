//! A bare HTTP server, the limit of any HTTP server in these benchmarks. It reads the same requests into the same
//! types, and responds without any work.
//!
//! It has the binary's HTTP library, number of threads and extractor, and runs as a separate process. The difference
//! to `orderflow serve` is therefore the work of orderflow. It knows only the calls that `orderflow bench` and
//! `orderflow replay` make. Its responses are shorter than the real ones, and it does not check callers.

use std::{hint::black_box, net::SocketAddr};

use anyhow::{Context, Result};
use axum::{
    Json as Answer, Router,
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt,
};
use futures_util::StreamExt;
use orderflow_ingest::requests::{OrderRequest, ReceiptLine};
use orderflow_web::{Json, Problem, body};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpListener;

/// A benchmark that is started with this argument and an address runs the bare server.
pub const ARGUMENT: &str = "--serve-bare";
/// The least number of threads, the same as in the binary.
const WORKERS_MIN: usize = 4;

/// Runs the bare server until it is killed, if the command line asks for it. Returns whether it did.
pub fn serve_if_asked() -> Result<bool> {
    let mut arguments = std::env::args().skip_while(|argument| argument != ARGUMENT).skip(1);
    let Some(address) = arguments.next() else { return Ok(false) };
    let address = address.parse().context("where to listen")?;
    let workers =
        std::thread::available_parallelism().map_or(WORKERS_MIN, |cores| cores.get().max(WORKERS_MIN));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(serve(address))?;
    Ok(true)
}

async fn serve(address: SocketAddr) -> Result<()> {
    let listener = TcpListener::bind(address).await?;
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).expect("a new connection takes options");
    });
    let routes = Router::new()
        .route("/orders", post(place).get(nothing))
        .route("/orders/batch", post(count_lines::<OrderRequest>))
        .route("/inventory/batch", post(count_lines::<ReceiptLine>))
        .route("/topics", get(nothing))
        .route("/health/ready", get(nothing));
    Ok(axum::serve(listener, routes).await?)
}

async fn nothing() -> &'static str {
    "{}"
}

async fn place(Json(order): Json<OrderRequest>) -> StatusCode {
    black_box(order);
    StatusCode::CREATED
}

async fn count_lines<T: DeserializeOwned>(request: Request) -> Result<Response, Problem> {
    let accepted = parse_lines::<T>(request.into_body()).await?;
    let answer = Answer(json!({ "accepted": accepted, "rejected": [] }));
    Ok((StatusCode::ACCEPTED, answer).into_response())
}

async fn parse_lines<T: DeserializeOwned>(body: Body) -> Result<u64, Problem> {
    let (mut chunks, mut begun, mut lines) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::bad_request("body-incomplete", "the stream broke off"))?;
        let mut rest = &chunk[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            if begun.is_empty() {
                black_box(body::parse::<T>(&rest[..end])?);
            } else {
                begun.extend_from_slice(&rest[..end]);
                black_box(body::parse::<T>(&begun)?);
                begun.clear();
            }
            lines += 1;
            rest = &rest[end + 1..];
        }
        begun.extend_from_slice(rest);
    }
    if !begun.is_empty() {
        black_box(body::parse::<T>(&begun)?);
        lines += 1;
    }
    Ok(lines)
}
