//! The decisions about the replayed orders, read from the log. Each event carries the trace of the request that
//! caused it, which identifies the events of a replay.

use std::{borrow::Cow, collections::BTreeMap};

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::remote::Client;

const TOPIC: &str = "orders.events";
/// Records asked for in one request.
const LIMIT: u32 = 10_000;

/// The end offset of each partition of `orders.events`, by partition number.
pub type Ends = BTreeMap<u64, u64>;

/// How the replayed orders were decided, other than reserved.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Decisions {
    /// Orders that had already been placed under the same key.
    pub repeated: u64,
    /// Orders that could not be placed, by the reason of the failure or the code of the rejection.
    pub failed: BTreeMap<String, u64>,
}

/// One line of the response of `GET /topics/{topic}/{partition}/records`.
#[derive(Deserialize)]
struct Line<'a> {
    offset: u64,
    #[serde(borrow)]
    value: Option<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    traceparent: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Failed {
    order: FailedOrder,
}

#[derive(Deserialize)]
struct FailedOrder {
    fail_reason: Option<String>,
}

#[derive(Deserialize)]
struct Rejected {
    code: String,
}

/// The current end of each partition of events.
pub async fn ends(admin: &mut Client) -> Result<Ends> {
    let topics = admin.get("/topics").await?;
    let topic = topics["items"].as_array().into_iter().flatten().find(|topic| topic["topic"] == TOPIC);
    let partitions = topic.and_then(|topic| topic["partitions"].as_array()).into_iter().flatten();
    let end =
        |partition: &serde_json::Value| Some((partition["partition"].as_u64()?, partition["end"].as_u64()?));
    Ok(partitions.filter_map(end).collect())
}

impl Decisions {
    /// Reads the events of the trace `trace` from the offsets in `ends` on, and counts them.
    pub async fn read(admin: &mut Client, ends: &Ends, trace: &str) -> Result<Self> {
        let mut decisions = Self::default();
        for (partition, end) in ends {
            let mut next = *end;
            while let Some(last) = decisions.read_some(admin, *partition, next, trace).await? {
                next = last + 1;
            }
        }
        Ok(decisions)
    }

    /// Reads one chunk of a partition. Returns the offset of its last record, or `None` at the end.
    async fn read_some(
        &mut self,
        admin: &mut Client,
        partition: u64,
        from: u64,
        trace: &str,
    ) -> Result<Option<u64>> {
        let path = format!("/topics/{TOPIC}/{partition}/records?from={from}&limit={LIMIT}");
        let answer = admin.send(Method::GET, &path, &[], Bytes::new()).await?.success()?;
        let mut last = None;
        for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line: Line<'_> = serde_json::from_slice(line)?;
            last = Some(line.offset);
            let ours = |event: &Event<'_>| {
                event.traceparent.as_deref().and_then(|text| text.get(3..35)) == Some(trace)
            };
            if let Some(event) = line.value.filter(ours) {
                self.count(&event)?;
            }
        }
        Ok(last)
    }

    fn count(&mut self, event: &Event<'_>) -> Result<()> {
        let reason = match &*event.kind {
            "command.repeated" => {
                self.repeated += 1;
                return Ok(());
            }
            "command.rejected" | "order.declined" => serde_json::from_str::<Rejected>(event.data.get())?.code,
            "order.failed" => {
                let failed: Failed = serde_json::from_str(event.data.get())?;
                failed.order.fail_reason.unwrap_or_else(|| "no reason given".to_owned())
            }
            _ => return Ok(()),
        };
        *self.failed.entry(reason).or_default() += 1;
        Ok(())
    }
}
