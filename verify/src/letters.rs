//! Checks dead letters: each contains the bytes at the offset that it names, and every unreadable command has one.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Result;
use bytes::Bytes;
use orderflow_schemas::{DeadLetter, Offset, Partition, Topic, TopicPartition};
use orderflow_topics::{Topics, Visibility};

use super::{Report, messages::SequenceDigest, records::Records};

/// The reader that is named in letters about commands.
const PROCESSOR: &str = "processor";

/// The digest of the offsets of unreadable commands, by input. It has only inputs that were decided again from the
/// first command to the last.
pub(super) type Unreadable = BTreeMap<TopicPartition, SequenceDigest>;

/// The letters about one input, collected in the order of the log.
#[derive(Default)]
struct LettersSeen {
    last: Option<Offset>,
    digest: SequenceDigest,
}

/// Checks all dead letters of the log.
pub(super) async fn compare_letters(topics: Arc<dyn Topics>, unreadable: &Unreadable) -> Result<Report> {
    let mut report = Report::default();
    let topic_partition = TopicPartition { topic: Topic::DeadLetters, partition: Partition(0) };
    if topics.partitions(Topic::DeadLetters) == 0 {
        return Ok(report);
    }
    let mut records = Records::new(topics.clone(), topic_partition, Offset::ZERO).await?;
    let mut seen: BTreeMap<TopicPartition, LettersSeen> = BTreeMap::new();
    while let Some((offset, record)) = records.next().await? {
        let Some((letter, about)) = read(&record) else {
            report.differences.add(|| format!("{topic_partition} offset {offset}: unreadable letter"));
            continue;
        };
        report.letters += 1;
        compare_bytes(&*topics, topic_partition, offset, &letter, about, &mut report).await?;
        let seen = seen.entry(about).or_default();
        // A crash may have led to a repeat of the letter, which is skipped.
        if letter.reader == PROCESSOR && seen.last.is_none_or(|last| letter.offset > last) {
            seen.last = Some(letter.offset);
            seen.digest.add(&letter.offset.0.to_le_bytes());
        }
    }
    if records.trimmed {
        return Ok(report);
    }
    for (input, should) in unreadable {
        let there = seen.get(input).map(|seen| seen.digest).unwrap_or_default();
        if there != *should {
            report.differences.add(|| {
                let (has, should) = (there.number, should.number);
                format!("{topic_partition} has {has} letters about {input}, of {should} commands there that cannot be read, or others")
            });
        }
    }
    Ok(report)
}

fn read(record: &Bytes) -> Option<(DeadLetter, TopicPartition)> {
    let letter: DeadLetter = serde_json::from_slice(record).ok()?;
    let about = TopicPartition { topic: letter.topic.parse().ok()?, partition: letter.partition };
    Some((letter, about))
}

/// Compares the bytes in a letter with the record at the offset that it names.
async fn compare_bytes(
    topics: &dyn Topics,
    topic_partition: TopicPartition,
    offset: Offset,
    letter: &DeadLetter,
    about: TopicPartition,
    report: &mut Report,
) -> Result<()> {
    if about.partition.0 >= topics.partitions(about.topic) {
        report
            .differences
            .add(|| format!("{topic_partition} offset {offset}: a letter about {about}, which is not there"));
        return Ok(());
    }
    let bounds = topics.bounds(about, Visibility::Accepted).await?;
    if letter.offset < bounds.start {
        report.unchecked += 1;
        return Ok(());
    }
    let chunk = topics.read(about, letter.offset, 1, Visibility::Accepted).await?;
    if chunk.records.first() != letter.bytes.bytes().as_ref() {
        let place = letter.offset;
        report.differences.add(|| {
            format!("{topic_partition} offset {offset}: the letter about {about} offset {place} has not the bytes there")
        });
    }
    Ok(())
}
