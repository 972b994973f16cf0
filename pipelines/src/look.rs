//! `orderflow tap` and `orderflow topics`: print the log of a running server through its API, or of a stopped server
//! from its data directory.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::Method;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{Topics, Visibility, partitions_of};
use serde_json::{Value, json};

use crate::{
    cli::{From, LogSource, Tap},
    log,
    remote::{Client, Target},
};

/// The pause between two requests for new records to a running server.
const FOLLOW_EVERY: Duration = Duration::from_millis(200);
/// Records asked for in one read.
const RECORDS: usize = 1_000;

/// The log to read: through the API of a running server, or in the data directory of a stopped one.
enum Source {
    Server(Client),
    Directory(Arc<dyn Topics>),
}

impl Source {
    fn open(source: LogSource) -> Result<Self> {
        if let Some(url) = source.url {
            let target = Target::open(&url, source.caller)?;
            eprintln!("as {}", target.authentication.describe("admin"));
            return Ok(Self::Server(Client::new(&target, "admin", "tap")));
        }
        let data = source.data.unwrap_or_else(|| PathBuf::from("data"));
        let topics = log::open_stopped(&data).context("if a server runs there, name it with --url")?;
        Ok(Self::Directory(topics))
    }

    /// The topics in the JSON form of the API.
    async fn topics(&mut self) -> Result<Value> {
        let topics = match self {
            Self::Server(client) => return client.get("/topics").await,
            Self::Directory(topics) => topics,
        };
        let mut items = Vec::new();
        for topic in Topic::ALL {
            let mut partitions = Vec::new();
            for topic_partition in partitions_of(&**topics, topic) {
                let bounds = topics.bounds(topic_partition, Visibility::Durable).await?;
                let (partition, start, end) = (topic_partition.partition, bounds.start, bounds.end);
                partitions
                    .push(json!({ "partition": partition, "start": start, "end": end, "durable_end": end }));
            }
            items.push(json!({ "topic": topic.as_str(), "partitions": partitions }));
        }
        Ok(json!({ "items": items }))
    }

    /// A chunk of records from the offset `from` on, as JSON lines.
    async fn read(&mut self, topic_partition: TopicPartition, from: Offset) -> Result<Bytes> {
        match self {
            Self::Directory(topics) => {
                let chunk = topics.read(topic_partition, from, 1 << 20, Visibility::Durable).await?;
                let mut lines = Vec::new();
                for (offset, record) in (from.0..).map(Offset).zip(&chunk.records) {
                    orderflow_api::push_line(&mut lines, topic_partition, offset, record);
                }
                Ok(lines.into())
            }
            Self::Server(client) => {
                let path = format!(
                    "/topics/{}/{}/records?from={from}&limit={RECORDS}",
                    topic_partition.topic, topic_partition.partition
                );
                let answer = client.send(Method::GET, &path, &[], Bytes::new()).await?.success()?;
                Ok(answer.body)
            }
        }
    }
}

/// The partitions of a topic in the result of `topics`: number, start offset and end offset.
fn partitions(listed: &Value, topic: Topic) -> Vec<(u16, u64, u64)> {
    let items = listed["items"].as_array().into_iter().flatten();
    let topic = items.filter(|item| item["topic"] == topic.as_str());
    let partitions = topic.flat_map(|item| item["partitions"].as_array().into_iter().flatten());
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    partitions
        .map(|partition| {
            let count = u16::try_from(number(&partition["partition"])).unwrap_or(0);
            (count, number(&partition["start"]), number(&partition["durable_end"]))
        })
        .collect()
}

/// Prints the records of a topic.
pub async fn tap(tap: Tap) -> Result<()> {
    let follow = tap.follow;
    ensure!(!follow || tap.source.url.is_some(), "--follow needs a running server: name it with --url");
    let mut source = Source::open(tap.source)?;
    let listed = source.topics().await?;
    let mut next: Vec<(TopicPartition, Offset)> = Vec::new();
    for (partition, start, end) in partitions(&listed, tap.topic) {
        if tap.partition.is_none_or(|wanted| wanted == partition) {
            let from = match tap.from {
                From::Offset(offset) => offset.max(start),
                From::End => end,
            };
            next.push((TopicPartition::new(tap.topic, partition), Offset(from)));
        }
    }
    ensure!(!next.is_empty(), "{} has no such partition", tap.topic);
    loop {
        let mut printed = false;
        for (topic_partition, next) in &mut next {
            let lines = source.read(*topic_partition, *next).await?;
            printed |= !lines.is_empty();
            next.0 += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            io::stdout().lock().write_all(&lines)?;
        }
        match (printed, follow) {
            (true, _) => {}
            (false, true) => tokio::time::sleep(FOLLOW_EVERY).await,
            (false, false) => return Ok(()),
        }
    }
}

/// Prints the topics and partitions with their offsets.
pub async fn topics(source: LogSource) -> Result<()> {
    let listed = Source::open(source)?.topics().await?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:<16} {:>9} {:>12} {:>12}", "topic", "partition", "start", "end")?;
    for topic in Topic::ALL {
        for (partition, start, end) in partitions(&listed, topic) {
            writeln!(out, "{topic:<16} {partition:>9} {start:>12} {end:>12}")?;
        }
    }
    Ok(())
}
