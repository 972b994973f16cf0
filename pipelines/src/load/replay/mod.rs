//! `orderflow replay`: posts a file of orders to a running server, as fast as the server accepts them or at a
//! multiple of the pace they were placed at. Running it twice is safe, because each line has its idempotency key.

mod decisions;
mod input;
mod pace;
mod report;
mod stock;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow, bail};
use bytes::Bytes;
use http::StatusCode;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use self::{
    decisions::{Decisions, Ends},
    input::Lines,
    pace::Pace,
};
pub use self::{pace::Speed, report::Report};
use crate::remote::{Client, Target, needs_login};

/// How often a request is sent before the replay gives up.
const TRIES: u32 = 20;
/// The longest pause before a repeat, even if the server asks for a longer one.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// What to replay, and where.
#[derive(Debug)]
pub struct Replay {
    /// The file of orders; `-` is standard input.
    pub file: PathBuf,
    /// The server to send the orders to.
    pub target: Target,
    /// The pace at which lines are posted.
    pub speed: Speed,
    /// Before the replay, receive this percentage of the units that the file orders of each SKU; `None` receives
    /// nothing.
    pub stock_percent: Option<u32>,
}

/// Replays the file. If the replay cannot go on to the end, the report says how far it came and why.
pub async fn run(replay: &Replay) -> Result<Report> {
    // The trace separates the events of this replay from events of other clients.
    let trace = Uuid::new_v4().simple().to_string();
    let mut client = Client::new(&replay.target, "service", "replay").traced(&trace);
    // Only an admin may read the log. Another caller learns what was accepted, and not what was decided.
    let mut admin = Client::new(&replay.target, "admin", "replay");
    if let Some(percent) = replay.stock_percent {
        stock::receive(&replay.file, percent, &mut client).await?;
    }
    let bar = progress_bar(&replay.file)?;
    let mut lines = Lines::open(&replay.file, Some(&bar))?;
    let (ends, started) = (decisions::ends(&mut admin).await, Instant::now());
    let mut report = Report::of(replay.target.authentication.describe("service"));
    let sent = send_all(&mut lines, Pace::new(replay.speed), &mut client, &mut report, &bar).await;
    report.durable = started.elapsed();
    let settled = match admin.may_read_log().await {
        Ok(true) => settle(&mut admin, &ends, &trace, &mut report, started).await,
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    bar.finish_and_clear();
    report.ended = sent.and(settled).err();
    Ok(report)
}

async fn send_all(
    lines: &mut Lines,
    mut pace: Pace,
    client: &mut Client,
    report: &mut Report,
    bar: &ProgressBar,
) -> Result<()> {
    loop {
        let (part, ended) = lines.next_part(&mut pace);
        let Some(part) = part else { return ended };
        pace.wait().await;
        let answer = post(client, "/orders/batch", part.body).await;
        report.count(
            &answer.map_err(|error| error.context(format!("stopped at line {}", part.first)))?,
            part.first,
            bar,
        );
        bar.set_message(format!("{} orders", report.accepted));
        ended?;
    }
}

/// Waits until all orders are decided and shown, and counts the decisions.
async fn settle(
    admin: &mut Client,
    ends: &Result<Ends>,
    trace: &str,
    report: &mut Report,
    started: Instant,
) -> Result<()> {
    admin.settled().await?;
    report.materialised = started.elapsed();
    let ends = ends.as_ref().map_err(|error| anyhow!("what was decided is not known: {error:#}"))?;
    report.decisions = Some(Decisions::read(admin, ends, trace).await?);
    Ok(())
}

/// Posts lines. If the response is lost or the server is busy, repeats the request under the same keys. A refusal by
/// the server is final and is not repeated.
async fn post(client: &mut Client, path: &str, body: Bytes) -> Result<serde_json::Value> {
    let mut tries = 0;
    loop {
        let answer = client.post_lines(path, body.clone()).await;
        let (error, asked) = match answer {
            Ok(answer) if is_worth_a_repeat(answer.status) => {
                let asked = answer.retry_after;
                (answer.success().expect_err("it is no success"), asked)
            }
            Ok(answer) => return answer.success()?.json(),
            Err(error) if needs_login(&error) => return Err(error),
            Err(error) => (error, None),
        };
        tries += 1;
        if tries == TRIES {
            bail!("gave up after {TRIES} tries: {error:#}");
        }
        let pause = Duration::from_millis(50 << tries.min(6));
        tokio::time::sleep(pause.max(asked.unwrap_or_default()).min(PAUSE_MAX)).await;
    }
}

/// Whether the same request may have another outcome later.
fn is_worth_a_repeat(status: StatusCode) -> bool {
    status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS]
            .contains(&status)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_repeated() {
        for code in [408, 425, 429, 500, 502, 503, 504] {
            assert!(is_worth_a_repeat(StatusCode::from_u16(code).unwrap()), "{code}");
        }
        for code in [202, 400, 401, 403, 404, 405, 413, 415, 422, 301] {
            assert!(!is_worth_a_repeat(StatusCode::from_u16(code).unwrap()), "{code}");
        }
    }
}
