//! Streams of lines: `POST /orders/batch`, `/inventory/batch` and `/products/batch`.
//!
//! Lines are parsed as their bytes arrive, and appended while more of them arrive. A bad line is reported and does not
//! affect the others. Appended lines stay, also when the stream breaks off; the response then says how many there are.
//! If the request has an `Idempotency-Key`, each line without a key of its own gets one that is derived from the
//! request's key and the line's number.

mod lines;
mod load;
pub mod report;

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    response::Response,
};
use futures_util::StreamExt;
use http::StatusCode;
use orderflow_schemas::{OrderCommand, Partition, Payload, StockCommand, Topic, envelope::TraceParent};
use orderflow_web::{
    CallKey, Caller, Coding, FieldError, Key, NoConditions, Problem, Trace, body, json, with_position,
};
use tracing::instrument;
use uuid::Uuid;

use self::{
    lines::{Line, Lines},
    load::Load,
    report::Report,
};
use crate::{
    fingerprint, metrics as names,
    requests::{OrderRequest, ProductLine, ReceiptLine},
    service::Ingest,
    validate::{self, Owner},
};

/// If no bytes arrive for this long, the lines received so far are appended.
const PAUSE: Duration = Duration::from_millis(5);

/// Places the orders of a stream.
#[instrument(level = "debug", skip_all)]
pub async fn orders(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Trace(trace): Trace,
    Key(key): Key,
    _: NoConditions,
    request: Request,
) -> Result<Response, Problem> {
    let read = |number, line: &[u8]| {
        let request: OrderRequest = body::parse(line)?;
        let own = request.idempotency_key.is_some();
        let derived = key.as_ref().filter(|_| !own).map(|key| fingerprint::key_of_line(key, number));
        if !own && derived.is_none() {
            return Err(Problem::invalid(vec![FieldError::new("/idempotency_key", "is missing")]));
        }
        let command =
            validate::place(request, derived, &Owner::Named, &caller, Uuid::now_v7(), &ingest.lifecycle)?;
        let topic_partition = ingest.partition_of_order(command.order_id);
        Ok((topic_partition.partition, OrderCommand::Place(command)))
    };
    take(&ingest, Topic::OrdersCommands, trace, request, read).await
}

/// Receives the stock of a stream.
#[instrument(level = "debug", skip_all)]
pub async fn receipts(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Trace(trace): Trace,
    key: CallKey,
    _: NoConditions,
    request: Request,
) -> Result<Response, Problem> {
    let read = |number, line: &[u8]| {
        let line = body::parse::<ReceiptLine>(line)?;
        let command = validate::receive_line(line, key_of_line(&key, number), &caller)?;
        let topic_partition = ingest.partition_of_sku(&command.sku);
        Ok((topic_partition.partition, StockCommand::Receive(command)))
    };
    take(&ingest, Topic::StockCommands, trace, request, read).await
}

/// Puts the products of a stream into the catalogue.
#[instrument(level = "debug", skip_all)]
pub async fn products(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Trace(trace): Trace,
    key: CallKey,
    _: NoConditions,
    request: Request,
) -> Result<Response, Problem> {
    let read = |number, line: &[u8]| {
        let line = body::parse::<ProductLine>(line)?;
        let command = validate::product_line(line, key_of_line(&key, number), &caller)?;
        let topic_partition = ingest.partition_of_sku(&command.sku);
        Ok((topic_partition.partition, StockCommand::SetProduct(command)))
    };
    take(&ingest, Topic::StockCommands, trace, request, read).await
}

/// The key of a line without a key of its own, if the request has a key.
fn key_of_line(request: &CallKey, line: u64) -> CallKey {
    let key = request.key.as_ref().map(|key| fingerprint::key_of_line(key, line));
    CallKey { key, call: request.call.clone() }
}

/// Takes a stream of commands. `read` turns a line and its number into a command and the partition it goes to.
async fn take<C: Payload>(
    ingest: &Ingest,
    topic: Topic,
    trace: TraceParent,
    request: Request,
    read: impl Fn(u64, &[u8]) -> Result<(Partition, C), Problem>,
) -> Result<Response, Problem> {
    body::require_media_type(request.headers(), "application/x-ndjson")?;
    let coding = Coding::of(request.headers())?;
    ingest.check_running()?;
    let mut intake = StreamIntake {
        lines: Lines::new(ingest.settings.line_bytes_max),
        taker: LineReader { line: 0, report: Report::new(ingest.settings.stream_refusals_max), read },
        load: Load::new(ingest, topic, trace),
    };
    let read = intake.read(coding.decode(request.into_body())).await;
    let settled = intake.load.settle().await;
    let StreamIntake { load, taker, .. } = intake;
    count(load.accepted(), taker.report.total());
    if let Err(problem) = read.and(settled.map_err(Problem::from)) {
        return Err(problem.with_member("accepted", load.accepted()));
    }
    let answer = taker.report.answer(load.accepted());
    Ok(with_position(load.position(), json(StatusCode::ACCEPTED, &answer)))
}

fn count(accepted: u64, refused: u64) {
    metrics::counter!(names::STREAM_LINES.name, "result" => "accepted").increment(accepted);
    metrics::counter!(names::STREAM_LINES.name, "result" => "refused").increment(refused);
}

/// The state of a stream while it is taken.
struct StreamIntake<'a, R> {
    lines: Lines,
    taker: LineReader<R>,
    load: Load<'a>,
}

impl<C: Payload, R: Fn(u64, &[u8]) -> Result<(Partition, C), Problem>> StreamIntake<'_, R> {
    /// Takes the whole body. If the body breaks off, the lines that were complete by then are appended.
    async fn read(&mut self, body: Body) -> Result<(), Problem> {
        let mut chunks = body.into_data_stream();
        loop {
            let chunk = match tokio::time::timeout(PAUSE, chunks.next()).await {
                Ok(chunk) => chunk,
                Err(_) => {
                    // The client sends more slowly than the server reads: its lines need not wait for more.
                    self.load.send_all().await?;
                    chunks.next().await
                }
            };
            match chunk {
                Some(Ok(chunk)) => self.feed(&chunk).await?,
                Some(Err(error)) => {
                    self.load.send_all().await?;
                    return Err(broken_off(&error));
                }
                None => {
                    self.lines.finish(|line| self.taker.take(line, &mut self.load));
                    return Ok(self.load.send_all().await?);
                }
            }
        }
    }

    async fn feed(&mut self, chunk: &Bytes) -> Result<(), Problem> {
        self.lines.feed(chunk, |line| self.taker.take(line, &mut self.load));
        Ok(self.load.send_full().await?)
    }
}

fn broken_off(error: &axum::Error) -> Problem {
    tracing::debug!(%error, "a stream broke off");
    Problem::bad_request(
        "body-incomplete",
        "the body ended early or cannot be decompressed; complete lines before that point are kept",
    )
}

/// Parses and counts the lines of a stream, and reports the bad ones.
struct LineReader<R> {
    line: u64,
    report: Report,
    read: R,
}

impl<C: Payload, R: Fn(u64, &[u8]) -> Result<(Partition, C), Problem>> LineReader<R> {
    fn take(&mut self, line: Line<'_>, load: &mut Load<'_>) {
        self.line += 1;
        let read = match line {
            Line::Whole(line) if line.trim_ascii().is_empty() => return,
            Line::Whole(line) => (self.read)(self.line, line),
            Line::TooLong => Err(Problem::too_large("line-too-long", "the line is too long")),
        };
        match read {
            Ok((partition, command)) => load.add(partition, &command),
            Err(problem) => self.report.refuse(self.line, &problem),
        }
    }
}
