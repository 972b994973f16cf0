//! Reading the log itself, for admins: its topics and their durable records.

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderName, StatusCode, header};
use orderflow_schemas::{LetterBytes, Offset, Partition, Topic, TopicPartition};
use orderflow_topics::{LogError, Topics, Visibility, partitions_of};
use orderflow_web::At;
use orderflow_web::{Caller, Problem, Query, query::invalid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::state::Api;

/// The limit of a request that states none.
const LIMIT_DEFAULT: u32 = 100;
/// The most records of one response.
const LIMIT_MAX: u32 = 10_000;
/// Approximate bytes of one response; the last record may exceed them.
const BYTES_MAX: usize = 4 << 20;
/// The response header with the offset to continue from.
pub const NEXT_OFFSET: HeaderName = HeaderName::from_static("orderflow-next-offset");

/// A topic and the bounds of its partitions.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Partitions")]
pub struct TopicView {
    /// The topic.
    #[schemars(with = "Topic")]
    topic: &'static str,
    /// The partitions of the topic.
    partitions: Vec<PartitionView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PartitionBounds")]
struct PartitionView {
    /// The number of the partition.
    partition: Partition,
    /// The offset of the oldest record that is kept.
    start: Offset,
    /// The offset after the newest record.
    end: Offset,
    /// The offset after the newest record that survives a crash.
    durable_end: Offset,
}

/// The response of `GET /topics`: all topics.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Topics")]
pub struct TopicsView {
    /// The topics.
    items: Vec<TopicView>,
}

/// `GET /topics`
pub async fn list_topics(_: Caller, State(api): State<Api>) -> Result<Json<TopicsView>, Problem> {
    let mut items = Vec::new();
    for topic in Topic::ALL {
        let mut partitions = Vec::new();
        for topic_partition in partitions_of(api.topics.as_ref(), topic) {
            partitions
                .push(view(api.topics.as_ref(), topic_partition).await.map_err(|error| failed(&error))?);
        }
        items.push(TopicView { topic: topic.as_str(), partitions });
    }
    Ok(Json(TopicsView { items }))
}

async fn view(topics: &dyn Topics, topic_partition: TopicPartition) -> Result<PartitionView, LogError> {
    let durable = topics.bounds(topic_partition, Visibility::Durable).await?;
    let accepted = topics.bounds(topic_partition, Visibility::Accepted).await?;
    let (start, end) = (durable.start, accepted.end);
    Ok(PartitionView { partition: topic_partition.partition, start, end, durable_end: durable.end })
}

/// The query parameters of a list of records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordsQuery {
    /// The offset of the first record; by default that of the oldest.
    from: Option<Offset>,
    /// The most records of the answer; 100 if absent.
    #[schemars(range(min = 1, max = LIMIT_MAX))]
    limit: Option<u32>,
}

/// `GET /topics/{topic}/{partition}/records`: durable records as NDJSON, starting at the given offset or at the oldest
/// record.
pub async fn list_records(
    _: Caller,
    At(topic_partition): At,
    Query(query): Query<RecordsQuery>,
    State(api): State<Api>,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(invalid("limit", format!("must be 1 to {LIMIT_MAX}")));
    }
    let from = match query.from {
        Some(from) => from,
        None => {
            api.topics
                .bounds(topic_partition, Visibility::Durable)
                .await
                .map_err(|error| failed(&error))?
                .start
        }
    };
    let (lines, next) =
        read(api.topics.as_ref(), topic_partition, from, limit).await.map_err(|error| failed(&error))?;
    let headers =
        [(header::CONTENT_TYPE, "application/x-ndjson".to_owned()), (NEXT_OFFSET, next.to_string())];
    Ok((headers, lines).into_response())
}

async fn read(
    topics: &dyn Topics,
    topic_partition: TopicPartition,
    from: Offset,
    limit: u32,
) -> Result<(Vec<u8>, Offset), LogError> {
    let (mut lines, mut next, mut left) = (Vec::new(), from, limit as usize);
    while left > 0 && lines.len() < BYTES_MAX {
        let chunk = topics.read(topic_partition, next, BYTES_MAX - lines.len(), Visibility::Durable).await?;
        if chunk.records.is_empty() {
            break;
        }
        for record in chunk.records.iter().take(left) {
            push_line(&mut lines, topic_partition, next, record);
            next = next.next();
            left -= 1;
        }
    }
    Ok((lines, next))
}

/// A record as a line of NDJSON: its JSON as `value`, or its bytes as `text` or `hex` if they are not JSON.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'static str,
    partition: Partition,
    offset: Offset,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a RawValue>,
    #[serde(flatten)]
    bytes: Option<LetterBytes>,
}

/// Appends the line of a record, in the form that this call and `orderflow tap` show.
pub fn push_line(lines: &mut Vec<u8>, topic_partition: TopicPartition, offset: Offset, record: &Bytes) {
    // A line must stay one line, so JSON that contains line breaks is shown as text.
    let value = serde_json::from_slice::<&RawValue>(record).ok().filter(|_| !record.contains(&b'\n'));
    let bytes = value.is_none().then(|| LetterBytes::of(record));
    let line = Line {
        topic: topic_partition.topic.as_str(),
        partition: topic_partition.partition,
        offset,
        value,
        bytes,
    };
    serde_json::to_writer(&mut *lines, &line).expect("lines have string keys and memory takes all bytes");
    lines.push(b'\n');
}

fn failed(error: &LogError) -> Problem {
    match error {
        LogError::NoSuchPartition(_) => Problem::not_found("unknown-partition", error.to_string()),
        LogError::Trimmed { start, .. } => {
            Problem::new(StatusCode::GONE, "records-removed", error.to_string()).with_member("start", start)
        }
        LogError::Damaged(_) | LogError::PartitionCount { .. } | LogError::WentBack { .. } => {
            Problem::internal(error)
        }
        LogError::Away(_) | LogError::Unavailable(_) => {
            tracing::error!(%error, "the log cannot be read");
            Problem::unavailable("log-unavailable", "the log cannot be read now", 1)
        }
    }
}
