//! `orderflow replay`: posts a file of orders to a running server, as fast as it takes them or at a multiple of the
//! pace they were placed at. Safe to run twice: each line has its idempotency key.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, IsTerminal, Read, stdin},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use orderflow_schemas::Timestamp;
use serde::Deserialize;

use super::client::{Client, Target};

/// Lines of one request. Many enough that a request costs nothing a line, few enough that progress is seen and a
/// lost answer costs little to repeat.
const LINES_PER_REQUEST: usize = 4_000;
/// Bytes of one request, about.
const BYTES_PER_REQUEST: usize = 4 << 20;
/// How often a request is repeated before the replay gives up.
const TRIES: u32 = 20;
/// How many rejected lines are shown.
const REJECTED_SHOWN: usize = 10;

/// How fast to replay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the server takes it.
    Max,
    /// So many times the pace of `placed_at`.
    Times(f64),
}

impl std::str::FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            number => match number.parse() {
                Ok(times) if times > 0.0 => Ok(Self::Times(times)),
                _ => Err("a speed is `max` or a number above 0".to_owned()),
            },
        }
    }
}

/// What to replay.
#[derive(Debug)]
pub struct Replay {
    /// The file; `-` is standard input.
    pub file: PathBuf,
    /// The server.
    pub target: Target,
    /// How fast.
    pub speed: Speed,
    /// First receive so many percent of what the file orders of each SKU.
    pub stock_percent: Option<u32>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Lines the server took.
    pub accepted: u64,
    /// Lines it refused.
    pub rejected: u64,
    /// Until all accepted lines were durable.
    pub durable: Duration,
    /// Until the database showed what was decided of them.
    pub materialised: Duration,
}

/// Replays the file.
pub async fn run(replay: &Replay) -> Result<Report> {
    let mut client = Client::new(&replay.target, "service", "replay");
    if let Some(percent) = replay.stock_percent {
        receive_stock(replay, percent, &mut client).await?;
    }
    let bar = progress_bar(&replay.file)?;
    let mut lines = Lines::open(&replay.file, Some(&bar))?;
    let (mut report, started) = (Report::default(), Instant::now());
    let mut pace = Pace::new(replay.speed);
    while let Some((body, first)) = lines.next_request(&mut pace)? {
        pace.wait().await;
        let answer = post(&mut client, "/orders/batch", body).await?;
        report.count(&answer, first, &bar);
        bar.set_message(format!("{} orders", report.accepted));
    }
    report.durable = started.elapsed();
    // Who looks at all topics is an admin.
    Client::new(&replay.target, "admin", "replay").settled().await?;
    report.materialised = started.elapsed();
    bar.finish_and_clear();
    Ok(report)
}

impl Report {
    fn count(&mut self, answer: &serde_json::Value, first: u64, bar: &ProgressBar) {
        self.accepted += answer["accepted"].as_u64().unwrap_or(0);
        for rejected in answer["rejected"].as_array().into_iter().flatten() {
            self.rejected += 1;
            if self.rejected <= REJECTED_SHOWN as u64 {
                let line = first + rejected["line"].as_u64().unwrap_or(1) - 1;
                bar.println(format!("line {line}: {}: {}", rejected["type"], rejected["detail"]));
            }
        }
    }
}

/// Posts lines and repeats them, under the same keys, when the answer is lost or the server is busy.
async fn post(client: &mut Client, path: &str, body: Bytes) -> Result<serde_json::Value> {
    let mut tries = 0;
    loop {
        match client.post_lines(path, body.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(error) => {
                tries += 1;
                ensure!(tries < TRIES, "gave up after {TRIES} tries: {error:#}");
                tokio::time::sleep(Duration::from_millis(50 << tries.min(6))).await;
            }
        }
    }
}

/// Receives, for each SKU of the file, the given percentage of what the file orders of it, rounded down.
async fn receive_stock(replay: &Replay, percent: u32, client: &mut Client) -> Result<()> {
    ensure!(replay.file != Path::new("-"), "--stock reads the file twice, which standard input cannot be");
    let mut demand: BTreeMap<String, u64> = BTreeMap::new();
    let mut lines = Lines::open(&replay.file, None)?;
    while let Some(line) = lines.next_line()? {
        let order: Ordered = serde_json::from_slice(line).context("a line is no order")?;
        for line in order.lines {
            *demand.entry(line.sku).or_default() += line.quantity;
        }
    }
    let name = replay.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let key = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let receipts = demand.into_iter().map(|(sku, units)| (units * u64::from(percent) / 100, sku));
    let receipts: Vec<String> = receipts
        .filter(|(quantity, _)| *quantity > 0)
        .map(|(quantity, sku)| {
            let key = format!("replay-{key}-{percent}");
            serde_json::json!({ "sku": sku, "quantity": quantity, "idempotency_key": key }).to_string()
        })
        .collect();
    for part in receipts.chunks(10_000) {
        let answer = post(client, "/inventory/batch", part.join("\n").into()).await?;
        ensure!(answer["rejected"].as_array().is_none_or(Vec::is_empty), "receipts were rejected: {answer}");
    }
    Ok(())
}

#[derive(Deserialize)]
struct Ordered {
    lines: Vec<OrderedLine>,
}

#[derive(Deserialize)]
struct OrderedLine {
    sku: String,
    quantity: u64,
}

fn progress_bar(file: &Path) -> Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let bytes = if file == Path::new("-") { None } else { Some(std::fs::metadata(file)?.len()) };
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = "{bar:40} {bytes}/{total_bytes} {msg} {elapsed} (eta {eta})";
    Ok(bar.with_style(ProgressStyle::with_template(style)?))
}

/// The lines of a file, unpacked on the way.
struct Lines {
    input: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path, bar: Option<&ProgressBar>) -> Result<Self> {
        let raw: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(stdin())
        } else {
            Box::new(File::open(path).with_context(|| format!("cannot open {}", path.display()))?)
        };
        let raw: Box<dyn Read + Send> = match bar {
            Some(bar) => Box::new(bar.wrap_read(raw)),
            None => raw,
        };
        let input: Box<dyn BufRead + Send> = match path.extension().and_then(|extension| extension.to_str()) {
            Some("zst") => Box::new(BufReader::new(zstd::Decoder::new(raw)?)),
            Some("gz") => Box::new(BufReader::new(flate2::read::MultiGzDecoder::new(raw))),
            _ => Box::new(BufReader::new(raw)),
        };
        Ok(Self { input, line: Vec::new(), number: 0 })
    }

    fn next_line(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let read = self.input.read_until(b'\n', &mut self.line).context("the file cannot be read")?;
        self.number += u64::from(read > 0);
        Ok((read > 0).then_some(&self.line))
    }

    /// The body of the next request and the number of its first line.
    fn next_request(&mut self, pace: &mut Pace) -> Result<Option<(Bytes, u64)>> {
        let (mut body, first, mut lines) = (Vec::new(), self.number + 1, 0);
        while lines < LINES_PER_REQUEST && body.len() < BYTES_PER_REQUEST {
            let Some(line) = self.next_line()? else { break };
            body.extend_from_slice(line);
            lines += 1;
            if pace.reached(line)? {
                break;
            }
        }
        Ok((!body.is_empty()).then(|| (body.into(), first)))
    }
}

/// Keeps a replay at a multiple of the pace the orders were placed at.
struct Pace {
    speed: Speed,
    started: Instant,
    first: Option<Timestamp>,
    due: Instant,
}

/// A request of a paced replay holds the orders of so much real time.
const PACE_STEP: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct Placed {
    placed_at: Option<Timestamp>,
}

impl Pace {
    fn new(speed: Speed) -> Self {
        let now = Instant::now();
        Self { speed, started: now, first: None, due: now }
    }

    /// Whether the request should end with this line.
    fn reached(&mut self, line: &[u8]) -> Result<bool> {
        let Speed::Times(times) = self.speed else { return Ok(false) };
        let placed: Placed = serde_json::from_slice(line).context("a line is no order")?;
        let Some(at) = placed.placed_at else { return Ok(false) };
        let first = *self.first.get_or_insert(at);
        let micros = at.as_micros().saturating_sub(first.as_micros()).max(0) as f64 / times;
        let due = self.started + Duration::from_micros(micros as u64);
        let end = due > self.due + PACE_STEP;
        self.due = self.due.max(due);
        Ok(end)
    }

    async fn wait(&self) {
        tokio::time::sleep_until(self.due.into()).await;
    }
}
