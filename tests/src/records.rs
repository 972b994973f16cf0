//! The records of a topic as `orderflow tap` prints them, for checks that share no code with the product.

use std::collections::HashMap;

use serde_json::Value;

use crate::{Ran, Stage};

/// A record that is not a repeat.
#[derive(Clone, Debug)]
pub struct Event {
    /// The number of its partition.
    pub partition: u64,
    /// The type of the record.
    pub kind: String,
    /// The payload of the record.
    pub data: Value,
}

/// All records of a topic of a stopped server, in the order of each partition. A number that a source has used before
/// in the partition is a repeat and left out. A gap panics.
#[track_caller]
pub fn records(stage: &Stage, topic: &str) -> Vec<Event> {
    let Ran { stdout, .. } = stage.run_on_data(&["tap", topic]).exits(0);
    let mut numbers: HashMap<(u64, String), u64> = HashMap::new();
    let mut records = Vec::new();
    for line in stdout.lines() {
        let record: Value = serde_json::from_str(line).expect("tap prints JSON lines");
        let (partition, value) = (record["partition"].as_u64().expect("a partition"), &record["value"]);
        let source = value["source"].as_str().expect("a record has a source").to_owned();
        let number = value["number"].as_u64().expect("a record has a number");
        let last = numbers.entry((partition, source)).or_default();
        if number <= *last {
            continue;
        }
        assert_eq!(number, *last + 1, "a gap: {line}");
        *last = number;
        let kind = value["type"].as_str().expect("a record has a type").to_owned();
        records.push(Event { partition, kind, data: value["data"].clone() });
    }
    records
}
