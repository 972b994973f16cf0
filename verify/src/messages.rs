//! Checks the records in partitions of commands: the numbers of every source, and that processors sent the messages
//! that their commands lead to.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::Result;
use orderflow_schemas::{Arrival, Offset, RawRecord, RecordHeader, Source, Sources, TopicPartition};
use orderflow_topics::Topics;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Report,
    records::Records,
    repeats::{Repeat, Repeats},
};

/// The number of records from one source to one partition, and a digest of them in the order of their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SequenceDigest {
    pub(super) number: u64,
    digest: u64,
}

impl SequenceDigest {
    pub(super) fn add(&mut self, record: &[u8]) {
        self.number += 1;
        self.digest = self.digest.rotate_left(7) ^ xxh3_64(record).wrapping_mul(self.number | 1);
    }
}

/// The digests by source and receiving partition.
pub(super) type SequenceDigests = BTreeMap<(Source, TopicPartition), SequenceDigest>;

/// The messages that processors must have sent, as deciding again gives them.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) digests: SequenceDigests,
    /// The processors with all messages known: their input is complete and was decided again to the end.
    pub(super) known: BTreeSet<Source>,
}

/// Checks the numbers of every source in a partition of commands, and that processors sent the right messages to it.
pub(super) async fn compare_messages(
    topics: Arc<dyn Topics>,
    topic_partition: TopicPartition,
    sent: Arc<Sent>,
) -> Result<Report> {
    let mut records = Records::new(topics, topic_partition, Offset::ZERO).await?;
    if records.trimmed {
        return Ok(Report::default());
    }
    let mut arrivals = Arrivals {
        topic_partition,
        sources: Sources::default(),
        repeats: Repeats::default(),
        report: Report::default(),
    };
    let mut received = SequenceDigests::new();
    while let Some((offset, record)) = records.next().await? {
        let header = match RawRecord::decode(&record) {
            Ok(RawRecord { header, .. }) => header,
            Err(error) => {
                let differences = &mut arrivals.report.differences;
                differences.add(|| format!("{topic_partition} offset {offset}: unreadable header: {error}"));
                continue;
            }
        };
        if arrivals.take(offset, &header, &record) && !header.source.is_transient() {
            received.entry((header.source, topic_partition)).or_default().add(&record);
        }
    }
    let mut report = arrivals.report;
    compare(topic_partition, &sent, &received, &mut report);
    Ok(report)
}

/// The records read so far from a partition, by source.
struct Arrivals {
    topic_partition: TopicPartition,
    sources: Sources,
    repeats: Repeats,
    report: Report,
}

impl Arrivals {
    /// Takes a record and reports a gap or a differing repeat. Returns whether the record is new.
    fn take(&mut self, offset: Offset, header: &RecordHeader, record: &[u8]) -> bool {
        let (topic_partition, differences) = (self.topic_partition, &mut self.report.differences);
        let (source, found) = (header.source.as_str(), header.number);
        match self.sources.arrival(header) {
            Arrival::Repeat => {
                match self.repeats.compare(header, record) {
                    Repeat::Same => {}
                    Repeat::Forgotten => self.report.unchecked += 1,
                    Repeat::Other => differences.add(|| {
                        format!(
                            "{topic_partition} offset {offset}: number {found} of `{source}` comes again with other bytes"
                        )
                    }),
                }
                return false;
            }
            Arrival::Gap { expected } => differences.add(|| {
                format!("{topic_partition} offset {offset}: `{source}` jumps to number {found}, expected {expected}")
            }),
            Arrival::Next => {}
        }
        self.repeats.remember(header, record);
        self.sources.take(&header.source, header.number, header.time);
        true
    }
}

fn compare(topic_partition: TopicPartition, sent: &Sent, received: &SequenceDigests, report: &mut Report) {
    let to_here = |digests: &SequenceDigests| -> Vec<Source> {
        digests.keys().filter(|(_, to)| *to == topic_partition).map(|(source, _)| source.clone()).collect()
    };
    let sources: BTreeSet<Source> = to_here(&sent.digests).into_iter().chain(to_here(received)).collect();
    for source in sources.into_iter().filter(|source| sent.known.contains(source)) {
        let key = (source, topic_partition);
        let digest = |digests: &SequenceDigests| digests.get(&key).copied().unwrap_or_default();
        let (there, should) = (digest(received), digest(&sent.digests));
        if there != should {
            report.differences.add(|| {
                let (source, has, should) = (key.0.as_str(), there.number, should.number);
                format!("{topic_partition} has {has} messages from {source}, of {should} that follow from its commands, or others")
            });
        }
    }
}
