//! Rewrites a log record by record, so that a test can create what no disk error would: a file that is whole with
//! content that is wrong.

use std::path::Path;

use bytes::Bytes;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{Batch, EmbeddedLog, Topics, Visibility, embedded, partitions_of};

use crate::Stage;

/// How many records are appended at once; few enough for the smallest segments.
const BATCH_RECORDS: usize = 200;

/// A record as an edit sees it.
#[derive(Debug)]
pub struct Stored<'a> {
    /// The partition of the record.
    pub topic_partition: TopicPartition,
    /// The offset of the record.
    pub offset: u64,
    /// Whether it is the last record of its partition.
    pub last: bool,
    /// The bytes of the record, which are text in these tests.
    pub text: &'a str,
}

impl Stored<'_> {
    /// Whether the record is in this topic and contains all these words.
    pub fn is(&self, topic: Topic, words: &[&str]) -> bool {
        self.topic_partition.topic == topic && words.iter().all(|word| self.text.contains(word))
    }

    /// The unchanged record.
    pub fn same(&self) -> Vec<String> {
        vec![self.text.to_owned()]
    }
}

/// Rewrites the log of a stopped server. `edit` returns the records that replace each record.
pub fn rewrite(stage: &Stage, edit: impl FnMut(&Stored<'_>) -> Vec<String>) {
    let (old, new) = (stage.data().join("log"), stage.data().join("log.new"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    runtime.expect("a runtime can be started").block_on(copy(&old, &new, edit));
    std::fs::remove_dir_all(&old).expect("the old log can be removed");
    std::fs::rename(&new, &old).expect("the new log can take its place");
}

async fn copy(old: &Path, new: &Path, mut edit: impl FnMut(&Stored<'_>) -> Vec<String>) {
    let settings = embedded::LogSettings { segment_bytes: 4 << 20, ..embedded::LogSettings::default() };
    let (old, _) = EmbeddedLog::open_read_only(old, settings.clone()).expect("the old log is whole");
    // The log keeps its id, so that the snapshots and the database still belong to it.
    let settings = embedded::LogSettings { new_id: Some(old.id()), ..settings };
    let (new, _) = EmbeddedLog::open(new, settings).expect("a new log can be made");
    for topic in Topic::ALL {
        let partitions = old.partitions(topic);
        if partitions > 0 {
            new.create(topic, partitions).await.expect("a topic can be made");
        }
        for topic_partition in partitions_of(&old, topic) {
            let records = read(&old, topic_partition).await;
            let last = records.len().saturating_sub(1);
            let edited: Vec<Bytes> = (0..)
                .zip(&records)
                .flat_map(|(n, record)| {
                    let text = std::str::from_utf8(record).expect("records are JSON");
                    edit(&Stored { topic_partition, offset: n as u64, last: n == last, text })
                })
                .map(Bytes::from)
                .collect();
            for records in edited.chunks(BATCH_RECORDS) {
                let batch = Batch { topic_partition, records: records.to_vec() };
                let appended = new.append(vec![batch]).await.expect("the new log takes it");
                new.durable(appended.receipt).await.expect("the disk takes it");
            }
        }
    }
}

async fn read(log: &EmbeddedLog, topic_partition: TopicPartition) -> Vec<Bytes> {
    let mut records = Vec::new();
    loop {
        let from = Offset(records.len() as u64);
        let chunk = log
            .read(topic_partition, from, 1 << 20, Visibility::Accepted)
            .await
            .expect("the old log is whole");
        if chunk.records.is_empty() {
            return records;
        }
        records.extend(chunk.records);
    }
}
