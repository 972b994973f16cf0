//! What a running server said of itself at one moment.

use std::{collections::BTreeMap, time::Duration};

use orderflow_schemas::Topic;
use serde_json::Value;

use super::exposition::Exposition;

/// The answers of a running server to `/health`, `/metrics` and `/topics`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When the answers came, on a clock that only goes forward.
    pub at: Duration,
    /// The health of the system.
    pub health: Health,
    /// The metrics of a process, if it gave them.
    pub metrics: Option<Process>,
    /// The partitions of the log, if the caller may see them.
    pub partitions: Option<Partitions>,
    /// Why something is missing, one sentence each.
    pub notes: Vec<String>,
}

/// A process and its metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Process {
    /// The host and port that its metrics came from.
    pub name: String,
    /// The metrics.
    pub metrics: Exposition,
}

/// The status of the system and of its parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// The status of the system.
    pub status: String,
    /// The parts and their status, in the order of the server.
    pub parts: Vec<(String, String)>,
}

/// The offsets of each partition of the log.
pub type Partitions = BTreeMap<(Topic, u16), Offsets>;

/// The offsets of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    /// The first offset that is still there.
    pub start: u64,
    /// The offset after the last durable record.
    pub durable_end: u64,
}

impl Health {
    /// The answer of `/health`. `None` if it is not of that form.
    pub fn read(answer: &Value) -> Option<Self> {
        let status = answer["status"].as_str()?.to_owned();
        let parts = answer["parts"].as_object()?.iter();
        let parts = parts.map(|(name, part)| {
            let status = part["status"].as_str().unwrap_or("unknown");
            (name.clone(), status.to_owned())
        });
        Some(Self { status, parts: parts.collect() })
    }
}

/// The answer of `/topics`. Topics that this version does not know are left out.
pub fn read_partitions(answer: &Value) -> Partitions {
    let mut partitions = Partitions::new();
    for item in answer["items"].as_array().into_iter().flatten() {
        let Some(topic) = item["topic"].as_str().and_then(|name| name.parse::<Topic>().ok()) else {
            continue;
        };
        for partition in item["partitions"].as_array().into_iter().flatten() {
            let number = partition["partition"].as_u64().and_then(|number| u16::try_from(number).ok());
            let (start, durable_end) = (partition["start"].as_u64(), partition["durable_end"].as_u64());
            if let (Some(number), Some(start), Some(durable_end)) = (number, start, durable_end) {
                partitions.insert((topic, number), Offsets { start, durable_end });
            }
        }
    }
    partitions
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_read_as_the_server_gives_them() {
        let health = json!({ "status": "waiting", "parts": { "database": { "status": "waiting" }, "log": { "status": "ready" } } });
        let health = Health::read(&health).unwrap();
        let parts = [("database", "waiting"), ("log", "ready")]
            .map(|(name, status)| (name.to_owned(), status.to_owned()));
        assert_eq!(health, Health { status: "waiting".to_owned(), parts: parts.into() });
        let topics = json!({ "items": [
            { "topic": "orders.events", "partitions": [{ "partition": 3, "start": 2, "end": 9, "durable_end": 8 }] },
            { "topic": "later.topic", "partitions": [{ "partition": 0, "start": 0, "end": 1, "durable_end": 1 }] },
        ] });
        let partitions = read_partitions(&topics);
        assert_eq!(partitions, [((Topic::OrdersEvents, 3), Offsets { start: 2, durable_end: 8 })].into());
    }

    #[test]
    fn other_answers_are_not_taken_for_health() {
        for answer in
            [json!({}), json!([]), json!({ "status": 1, "parts": {} }), json!({ "status": "ready" })]
        {
            assert_eq!(Health::read(&answer), None, "{answer}");
        }
    }
}
